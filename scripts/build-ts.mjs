/**
 * Compiles src/ into dist/, or another folder, from nothing: what was compiled of a file that is gone would otherwise
 * stay, go into the package, and be found before the folder that took its name.
 *
 *   node scripts/build-ts.mjs [FOLDER]
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = path.resolve(process.argv[2] ?? path.join(root, 'dist'))
// The set-up's stamp says which sources dist/ is of, and holds for them.
const old = existsSync(dist) ? readdirSync(dist).filter((name) => name !== '.vcap-setup') : []
for (const name of old) rmSync(path.join(dist, name), { recursive: true })

const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
process.exit(spawnSync(process.execPath, [tsc, '-p', root, '--outDir', dist], { stdio: 'inherit' }).status ?? 1)
