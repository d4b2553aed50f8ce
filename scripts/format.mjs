/**
 * Checks that every file is formatted and linted: TypeScript, JavaScript and JSON by Biome (biome.json), C++ by
 * clang-format (.clang-format). `--write` mends what can be mended. Both tools are pinned in package-lock.json.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const write = process.argv.includes('--write')

const sources = ['native', 'test/core', 'bench', 'tools'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => /\.(cpp|h)$/.test(name))
    .map((name) => path.join(folder, name))
)
const good = [
  run('biome', ['check', ...(write ? ['--write'] : []), '--error-on-warnings', '.']),
  run('clang-format', [...(write ? ['-i'] : ['--dry-run', '--Werror']), ...sources])
]
if (good.includes(false)) {
  if (!write) console.error('format: npm run format mends what can be mended')
  process.exit(1)
}

function run(command, args) {
  const { status, error } = spawnSync(path.join(root, 'node_modules', '.bin', command), args, {
    cwd: root,
    stdio: 'inherit'
  })
  if (error) console.error(`format: ${command} could not be run (${error.message}); npm run setup brings it`)
  return status === 0
}
