/**
 * Installs the packed packages as their users would, and captions the demo's clips with each: package managers, Node's
 * versions, processors by qemu, a fresh Debian. Install scripts are blocked everywhere.
 *
 *   npm run check:packages -- [PART …]             those of packages/, served by a registry on this machine
 *   npm run check:packages -- --published VERSION   those of the registry that npm is set to
 *
 * PART is a part of a check's name. What cannot be run here is passed over with the reason.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { otherPlatforms } from '../test/helpers/packages.mjs'
import { packedManifest, startRegistry } from '../test/helpers/registry.mjs'
import { cpus, whyNoCpus } from './check-packages/cpus.mjs'
import { debian, whyNoDebian } from './check-packages/debian.mjs'
import * as managers from './check-packages/managers.mjs'
import { makeFolder, must } from './check-packages/project.mjs'
import { thisPlatform } from './package.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const checks = [
  ['npm install and npm ci', managers.npmInstalls],
  ['npm --omit=optional', managers.npmWithoutOptional],
  ['npx', managers.npxOfTheTarball],
  ['pnpm', managers.pnpm],
  ['yarn classic', managers.yarnClassic],
  ['yarn berry node-modules', managers.yarnBerry('node-modules')],
  ['yarn berry pnp', managers.yarnBerry('pnp')],
  ...[20, 22, 24].map((major) => [`Node ${major}`, managers.onNode(major)]),
  ['processors', cpus, whyNoCpus],
  ...['bullseye', 'bookworm'].map((release) => [`Debian ${release}`, debian(release), whyNoDebian])
]

const { values: asked, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: {
    packages: { type: 'string', default: path.join(root, 'packages') },
    published: { type: 'string' }
  }
})
const chosen = checks.filter(([name]) => parts.length === 0 || parts.some((part) => name.includes(part)))
if (chosen.length === 0) {
  console.error(
    `check: no check has ${parts.join(', ')} in its name; there are ${checks.map(([name]) => name).join(', ')}`
  )
  process.exit(1)
}

const upstream = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', cwd: root }).stdout.trim()
const work = makeFolder('packages')
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }))
const { registry, version, tarball } = asked.published ? await published(asked.published) : await packed(asked.packages)
const context = {
  registry,
  version,
  tarball,
  /** What of ours belongs on this machine. */
  names: [`@vcap-native/${thisPlatform()}`, 'vcap-native'],
  tools: fs.mkdtempSync(path.join(work, 'tools-')),
  demo: await renderDemo()
}

let failed = 0
for (const [name, check, whyNot = () => false] of chosen) {
  const started = performance.now()
  const reason = whyNot()
  if (reason) {
    console.log(`skipped  ${name}: ${reason}`)
    continue
  }
  registry.downloads()
  try {
    const said = await check(context)
    console.log(`ok       ${name}: ${said} (${((performance.now() - started) / 1000).toFixed(0)} s)`)
  } catch (error) {
    failed++
    console.log(`FAILED   ${name}: ${error.message}`)
  }
}
registry.close()
process.exitCode = failed === 0 ? 0 : 1

/** The tarballs of a folder, and what stands for the platforms that are not this one. */
async function packed(folder) {
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.tgz')) : []
  const tarballs = files.map((name) => path.join(folder, name))
  const tarball = tarballs.find((file) => packedManifest(file).name === 'vcap-native')
  if (tarball === undefined) {
    console.error(`check: there is no package in ${folder}: run npm run package first`)
    process.exit(1)
  }
  const main = packedManifest(tarball)
  const there = tarballs.filter((file) => packedManifest(file).version === main.version)
  const names = there.map((file) => packedManifest(file).name)
  const others = otherPlatforms(main, work).filter((file) => !names.includes(packedManifest(file).name))
  return { registry: await startRegistry([...there, ...others], { upstream }), version: main.version, tarball }
}

/** The registry that npm is set to, seen through one here that counts what is asked. */
async function published(version) {
  return { registry: await startRegistry([], { upstream, counted: /^(@vcap-native\/|vcap-native$)/ }), version }
}

/** The demo's clips, rendered by what is checked: a table whose captions are known. */
async function renderDemo() {
  const folder = fs.mkdtempSync(path.join(work, 'demo-'))
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }')
  const env = { npm_config_registry: registry.url, npm_config_ignore_scripts: 'true' }
  await must('npm', ['install', '--no-audit', '--no-fund', `vcap-native@${version}`, 'node-av'], { cwd: folder, env })
  const { stdout, said } = await must('npx', ['--no-install', 'vcap-native', 'demo'], { cwd: folder, env })
  if (!/\n14 of 14 captions are right\./.test(stdout)) throw new Error(said)
  return { csv: path.join(folder, 'demo-out', 'samples.csv'), rows: 14 }
}
