/** Package managers: each installs vcap-native from a registry with scripts blocked, and captions with it. */
import fs from 'node:fs'
import path from 'node:path'
import { call, makeFolder, must, requireNames, requireRight } from './project.mjs'

const noScripts = { npm_config_ignore_scripts: 'true', npm_config_audit: 'false', npm_config_fund: 'false' }

/** One folder with the packages of this machine, gone at the end. */
async function inProject(name, registry, work) {
  const folder = makeFolder(name)
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "name": "outside", "private": true }')
  const env = { ...noScripts, npm_config_registry: registry.url, npm_config_cache: path.join(folder, '.npm') }
  try {
    return await work(folder, { cwd: folder, env })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Captions the demo's table by a command that starts vcap-native in a project. */
async function caption(options, { csv, rows }, command, ...args) {
  const output = path.join(options.cwd, 'captions.csv')
  await must(command, [...args, 'run', csv, output, '--model', 'demo', '--gpus', 'none'], options)
  requireRight(output, rows)
}

const npx = ['npx', '--no-install', 'vcap-native']

/** The package of another project: a command as an npm package brings it. */
async function tool(context, spec, script) {
  const folder = path.join(context.tools, spec.replace(/\W+/g, '-'))
  if (!fs.existsSync(folder)) {
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }')
    await must('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', spec], { cwd: folder })
  }
  return path.join(folder, 'node_modules', script)
}

export function npmInstalls({ registry, names, demo, version }) {
  return inProject('npm', registry, async (folder, options) => {
    await must('npm', ['install', `vcap-native@${version}`], options)
    requireNames('downloaded', registry.downloads(), names)
    await caption(options, demo, ...npx)

    // From the lockfile alone, in another folder.
    const copy = path.join(folder, 'copy')
    fs.mkdirSync(copy)
    for (const name of ['package.json', 'package-lock.json']) {
      fs.copyFileSync(path.join(folder, name), path.join(copy, name))
    }
    const inCopy = { ...options, cwd: copy }
    await must('npm', ['ci'], inCopy)
    await caption(inCopy, demo, ...npx)
    return `${registry.downloads().length} of our packages downloaded`
  })
}

export function npmWithoutOptional({ registry, version }) {
  return inProject('omit', registry, async (_, options) => {
    await must('npm', ['install', '--omit=optional', `vcap-native@${version}`], options)
    requireNames('downloaded', registry.downloads(), ['vcap-native'])
    const { status, said } = await call('npx', [...npx.slice(1), 'plan', '--model', 'demo'], options)
    if (status !== 2 || !/@vcap-native\/.*(--omit|optional)/s.test(said)) {
      throw new Error(`ended with ${status} and said:\n${said}`)
    }
    return said.trim().split('\n').at(-1)
  })
}

export function npxOfTheTarball({ registry, demo, tarball, version }) {
  return inProject('npx', registry, async (_, options) => {
    await caption(options, demo, 'npx', '--yes', '--package', tarball ?? `vcap-native@${version}`, 'vcap-native')
    return 'npx --package, nothing installed before'
  })
}

export function pnpm(context) {
  const { registry, names, demo, version } = context
  return inProject('pnpm', registry, async (folder, options) => {
    const script = await tool(context, 'pnpm@10', 'pnpm/bin/pnpm.cjs')
    const store = ['--store-dir', path.join(folder, '.store')]
    await must(process.execPath, [script, 'add', ...store, `vcap-native@${version}`], options)
    requireNames('downloaded', registry.downloads(), names)
    await caption(options, demo, process.execPath, script, 'exec', 'vcap-native')
    return 'pnpm 10'
  })
}

export function yarnClassic(context) {
  const { registry, names, demo, version } = context
  return inProject('yarn', registry, async (folder, options) => {
    const script = await tool(context, 'yarn@1', 'yarn/bin/yarn.js')
    const where = ['--registry', registry.url, '--cache-folder', path.join(folder, '.cache')]
    const args = ['add', '--ignore-scripts', '--non-interactive', ...where, `vcap-native@${version}`]
    await must(process.execPath, [script, ...args], options)
    // It downloads every platform's, knows no `libc`, and installs those that fit by system and processor.
    const ours = path.join(folder, 'node_modules', '@vcap-native')
    const found = fs.readdirSync(ours).map((name) => `@vcap-native/${name}`)
    const fitting = names.filter((name) => name !== 'vcap-native')
    requireNames(
      'installed',
      found.filter((name) => fitting.includes(name) || !/-musl$/.test(name)),
      fitting
    )
    await caption(options, demo, process.execPath, script, '-s', 'vcap-native')
    return 'yarn 1'
  })
}

export const yarnBerry = (linker) => (context) => {
  const { registry, names, demo, version } = context
  return inProject('berry', registry, async (folder, options) => {
    const script = await tool(context, '@yarnpkg/cli-dist@4', '@yarnpkg/cli-dist/bin/yarn.js')
    const settings = [
      `nodeLinker: ${linker}`,
      `npmRegistryServer: "${registry.url}"`,
      'unsafeHttpWhitelist: ["127.0.0.1"]',
      'enableScripts: false',
      'enableGlobalCache: false',
      // What Yarn remembers of a package holds the address it came from, which is another at each run.
      'globalFolder: ./.yarn-global',
      'enableMirror: false',
      'enableTelemetry: false',
      'enableImmutableInstalls: false'
    ]
    fs.writeFileSync(path.join(folder, '.yarnrc.yml'), `${settings.join('\n')}\n`)
    fs.writeFileSync(path.join(folder, 'yarn.lock'), '')
    await must(process.execPath, [script, 'add', `vcap-native@${version}`], options)
    requireNames('downloaded', registry.downloads(), names)
    await caption(options, demo, process.execPath, script, 'vcap-native')
    return `yarn 4, ${linker}`
  })
}

/** Node of another major version, which npm has as a package too. */
export const onNode = (major) => (context) => {
  const { registry, demo, version } = context
  return inProject(`node${major}`, registry, async (_, options) => {
    const name = `node-${process.platform === 'darwin' ? 'bin-' : ''}${process.platform}-${process.arch}`
    const node = await tool(context, `${name}@^${major}.9`, `${name}/bin/node`)
    const inPath = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`
    const withNode = { ...options, env: { ...options.env, PATH: inPath } }
    await must('npm', ['install', `vcap-native@${version}`], withNode)
    await caption(withNode, demo, ...npx)
    return (await must('node', ['--version'], withNode)).stdout.trim()
  })
}
