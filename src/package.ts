import fs from 'node:fs'
import path from 'node:path'

/** The package's own folder, in a clone and in node_modules alike. */
export const packageRoot = path.join(__dirname, '..')

export const packageVersion: string = (
  JSON.parse(fs.readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as { version: string }
).version
