/**
 * Before `npm pack`: compiles TypeScript and puts the addon built here where node-gyp-build
 * looks for it in an installed package, so that no install script is needed there.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const built = path.join(root, 'build', 'Release', 'vcap_native.node')
if (!existsSync(built)) {
  console.error('prepack: build/Release/vcap_native.node is missing: run `npm run setup` first')
  process.exit(1)
}

const compiler = path.join(root, 'scripts', 'build-ts.mjs')
if (spawnSync(process.execPath, [compiler], { stdio: 'inherit' }).status !== 0) process.exit(1)

// node-gyp-build's tags: any Node-API runtime, this C library.
const libc =
  process.platform === 'linux' ? (process.report.getReport().header.glibcVersionRuntime ? '.glibc' : '.musl') : ''
const folder = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`)
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
copyFileSync(built, path.join(folder, `vcap-native.napi${libc}.node`))
