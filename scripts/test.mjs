/**
 * Runs the tests: the C++ core's first (unless `--no-core`), then every test file under
 * test/. Other arguments are parts of file names: `node scripts/test.mjs frames`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const core = path.join(root, 'scripts', 'test-core.mjs')

if (wanted.length === 0 && !process.argv.includes('--no-core') && existsSync(core)) run([core])

const files = readdirSync(path.join(root, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  .map((name) => path.join('test', name))
  .sort()
if (files.length === 0) {
  console.error(`test: no test file matches ${wanted.join(', ')}`)
  process.exit(1)
}
// Two files at a time: much of a file's time goes by while processes start and servers keep it waiting. With more they
// would spoil each other's deadlines.
run(['--test', '--test-reporter=spec', '--test-concurrency=2', '--test-timeout=300000', ...files])

function run(args) {
  // No test asks the model hub for anything but the one that the test has started.
  const env = { ...process.env, HF_HUB_OFFLINE: '1' }
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}
