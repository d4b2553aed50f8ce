/** Writes docs/failure-cases.md from the cases that the tests try. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { renderPage } from '../test/cases/page.mjs'

writeFileSync(fileURLToPath(new URL('../docs/failure-cases.md', import.meta.url)), renderPage())
