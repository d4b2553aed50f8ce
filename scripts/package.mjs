/**
 * Packs what is published, as tarballs: the main package, which has no binary, and the package with the addon of one
 * platform.
 *
 *   node scripts/package.mjs                    this platform, its variants built first
 *   node scripts/package.mjs --from FOLDER      variants that were built elsewhere, laid out as in the package
 *   node scripts/package.mjs --cuda             the package with CUDA, alone
 *
 * `--platform NAME` (with `--from`) packs for another platform, `--out FOLDER` writes elsewhere than into packages/,
 * `--main` packs the main package alone.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { llamaCppDir } from '../vendor/fetch.mjs'
import { notices } from './package-notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))

const listed = JSON.parse(fs.readFileSync(path.join(root, 'src', 'native', 'platforms.json'), 'utf8'))

/**
 * The platform packages by name: `{ platform, arch, libc, cuda, levels, says }`, as the loader seeks them; `levels` are
 * those of x86-64 that the package has an addon for. The main package depends on all but that with CUDA, which is
 * installed by hand.
 */
export const platforms = Object.fromEntries(listed.map(({ name, ...about }) => [name, about]))

/** Bytes of a tarball that npm surely takes: one of 177 MB was taken, one of 230 MB refused. */
const largestTarball = 170e6

/** The name of this machine's platform package. */
export function thisPlatform() {
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
  return `${process.platform}-${process.arch}${musl ? '-musl' : ''}`
}

/** The binaries of a platform package, by their paths in it. */
export function binariesOf(name) {
  const { levels } = platforms[name]
  if (!levels) return ['vcap_native.node']
  return ['cpu-level.node', ...levels.map((level) => `${level}/vcap_native.node`)]
}

async function main() {
  const { values: asked } = parseArgs({
    options: {
      from: { type: 'string' },
      platform: { type: 'string' },
      out: { type: 'string', default: path.join(root, 'packages') },
      cuda: { type: 'boolean', default: false },
      main: { type: 'boolean', default: false }
    }
  })
  const name = asked.platform ?? (asked.cuda ? 'linux-x64-cuda' : thisPlatform())
  if (!asked.main && !platforms[name]) {
    fail(`there is no package for ${name}; there are ${Object.keys(platforms).join(', ')}`)
  }
  if (asked.platform && !asked.from && name !== thisPlatform())
    fail(`${name} is not built here: name its files by --from`)
  const out = path.resolve(asked.out)
  fs.mkdirSync(out, { recursive: true })
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-package-'))
  try {
    // The CUDA package comes after the others, and to machines that have the main one already.
    if (!platforms[name]?.cuda || asked.main) pack(stageMain(path.join(work, 'main')), out)
    if (!asked.main) {
      const binaries = asked.from ? path.resolve(asked.from) : await buildBinaries(name)
      const { file, bytes } = pack(stagePlatform(name, binaries, path.join(work, name)), out)
      if (bytes > largestTarball) {
        fs.rmSync(file)
        fail(
          `${path.basename(file)} has ${megabytes(bytes)}, and npm takes up to ${megabytes(largestTarball)}: ` +
            'split it by GPU architecture, a package for each (CMAKE_CUDA_ARCHITECTURES)'
        )
      }
    }
  } finally {
    fs.rmSync(work, { recursive: true })
  }
}

/** Builds every variant of a platform: the folder that has them, laid out as in the package. */
async function buildBinaries(name) {
  if (platforms[name].cuda) process.env.VCAP_CUDA = '1'
  const { buildForPackage } = await import('./build-native.mjs')
  let folder
  for (const level of platforms[name].levels ?? [undefined]) folder = await buildForPackage(level)
  return folder
}

/** What both kinds of package say of themselves. In CI that is also the repository, by which provenance is checked. */
function commonFields() {
  const { version, license, engines, repository } = manifest
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env
  const found = repository ?? (server && name ? { type: 'git', url: `git+${server}/${name}.git` } : undefined)
  return { version, license, engines, ...(found && { repository: found }) }
}

/** The packages of some platforms at the version of the main one. */
function pins(which) {
  const chosen = Object.entries(platforms).filter(([, platform]) => which(platform))
  return Object.fromEntries(chosen.map(([name]) => [`@${manifest.name}/${name}`, manifest.version]))
}

/** Lays out the main package in `folder`: compiled from nothing, and dependent on the platforms' packages. */
function stageMain(folder) {
  // Not into the clone's dist/, which whatever runs from the clone is loading meanwhile.
  call([path.join(root, 'scripts', 'build-ts.mjs'), path.join(folder, 'dist')], 'TypeScript could not be compiled')
  const [{ files }] = JSON.parse(npm(root, 'pack', '--dry-run', '--json', '--ignore-scripts'))
  const others = files.filter(({ path: file }) => !file.startsWith('dist/'))
  for (const { path: file } of others) copy(path.join(root, file), path.join(folder, file))
  const { private: _, scripts: __, devDependencies: ___, ...kept } = manifest
  const optionalDependencies = { ...kept.optionalDependencies, ...pins(({ cuda }) => !cuda) }
  // Plug'n'Play shows a package what it names alone, so that what may be installed by hand is named too.
  const byHand = pins(({ cuda }) => cuda)
  const peerDependencies = { ...kept.peerDependencies, ...byHand }
  const optional = Object.fromEntries(Object.keys(byHand).map((name) => [name, { optional: true }]))
  const peerDependenciesMeta = { ...kept.peerDependenciesMeta, ...optional }
  writeManifest(folder, { ...kept, ...commonFields(), optionalDependencies, peerDependencies, peerDependenciesMeta })
  return folder
}

/** Lays out a platform's package in `folder`, of the binaries in another folder. */
function stagePlatform(name, binaries, folder) {
  const { platform, arch, libc, says } = platforms[name]
  const files = binariesOf(name)
  const missing = files.filter((file) => !fs.existsSync(path.join(binaries, file)))
  if (missing.length > 0) fail(`${binaries} lacks ${missing.join(', ')}`)
  for (const file of files) copy(path.join(binaries, file), path.join(folder, file))
  copy(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  fs.writeFileSync(path.join(folder, 'README.md'), readme(name, says))
  fs.writeFileSync(path.join(folder, 'THIRD-PARTY.md'), notices(root, llamaCppDir(), name))
  writeManifest(folder, {
    name: `@${manifest.name}/${name}`,
    description: `The addon of ${manifest.name} for ${says}`,
    ...commonFields(),
    os: [platform],
    cpu: [arch],
    ...(libc && { libc: [libc] }),
    files: [...files, 'THIRD-PARTY.md'],
    preferUnplugged: true
  })
  return folder
}

function readme(name, says) {
  const how = platforms[name].cuda
    ? `Installed by hand, beside ${manifest.name} of the same version:\n\n    npm install @${manifest.name}/${name}`
    : `${manifest.name} depends on it: package managers install it where it fits the machine.`
  return `# @${manifest.name}/${name}\n\nThe addon of ${manifest.name} for ${says}. ${how}\n`
}

function writeManifest(folder, fields) {
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(fields, null, 2)}\n`)
}

/** Packs a folder as npm would publish it. */
function pack(folder, out) {
  const [packed] = JSON.parse(npm(folder, 'pack', '--json', '--ignore-scripts', '--pack-destination', out))
  const file = path.join(out, packed.filename)
  console.log(`package: ${file}, ${megabytes(packed.size)}, installed ${megabytes(packed.unpackedSize)}`)
  return { file, bytes: packed.size }
}

function copy(from, to) {
  fs.mkdirSync(path.dirname(to), { recursive: true })
  fs.copyFileSync(from, to)
}

function npm(cwd, ...args) {
  const { status, stdout, error } = spawnSync('npm', args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28
  })
  if (status !== 0) fail(`npm ${args[0]} failed${error ? `: ${error.message}` : '; its message is above'}`)
  return stdout
}

function call(args, failure) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) fail(`${failure}; its message is above`)
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function fail(message) {
  console.error(`package: ${message}`)
  process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
