/** What `npm run package` makes is what a user gets: packed, served by a registry, installed, used outside the repo. */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test, { after, before } from 'node:test'
import { promisify } from 'node:util'
import { binariesOf, platforms, thisPlatform } from '../../scripts/package.mjs'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { localBinaries, otherPlatforms, pack, tarballName } from '../helpers/packages.mjs'
import { packedManifest, startRegistry } from '../helpers/registry.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
const project = temporaryFolder()
const at = (name) => path.join(project, name)
const inProject = (command, ...args) => execFileSync(command, args, { cwd: project, encoding: 'utf8' })

let tarballs
let main
let registry

before(async () => {
  const out = temporaryFolder()
  tarballs = pack(out, '--from', localBinaries())
  main = packedManifest(path.join(out, `vcap-native-${version}.tgz`))
  registry = await startRegistry([...tarballs, ...otherPlatforms(main, temporaryFolder())])
})
after(() => registry?.close())

const listing = (tarball) => execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n')
const tarballOf = (name) => tarballs.find((file) => path.basename(file) === name)

/** npm in the project, where the registry has the platforms' packages and npm's own has the others. */
function npm(...args) {
  return promisify(execFile)(
    'npm',
    [...args, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: project, encoding: 'utf8' }
  )
}

test('the main package has no binary and no script, and depends on the platforms at its own version', () => {
  const files = listing(tarballOf(`vcap-native-${version}.tgz`))
  for (const wanted of ['bin/vcap-native', 'dist/index.d.ts', 'models/demo/vcap-demo.gguf', 'README.md', 'LICENSE']) {
    assert.ok(files.includes(`package/${wanted}`), wanted)
  }
  assert.deepEqual(
    files.filter((file) => /\.node$|binding\.gyp$/.test(file)),
    []
  )
  const pinned = Object.keys(platforms).filter((name) => name !== 'linux-x64-cuda')
  const ours = Object.entries(main.optionalDependencies).filter(([name]) => name.startsWith('@vcap-native/'))
  assert.deepEqual(
    Object.fromEntries(ours),
    Object.fromEntries(pinned.map((name) => [`@vcap-native/${name}`, version]))
  )
  assert.equal(main.peerDependencies['@vcap-native/linux-x64-cuda'], version)
  assert.deepEqual(main.peerDependenciesMeta['@vcap-native/linux-x64-cuda'], { optional: true })
  for (const field of ['scripts', 'devDependencies', 'private']) assert.equal(main[field], undefined, field)
})

test('the package of this platform: conditions, every variant, licences', () => {
  const tarball = tarballOf(tarballName(thisPlatform(), version))
  const packed = packedManifest(tarball)
  const { platform, arch, libc } = platforms[thisPlatform()]
  assert.deepEqual([packed.os, packed.cpu, packed.libc], [[platform], [arch], libc && [libc]])
  assert.deepEqual([packed.version, packed.license, packed.scripts], [version, 'MIT', undefined])
  assert.deepEqual(
    listing(tarball).sort(),
    [...binariesOf(thisPlatform()), 'LICENSE', 'README.md', 'THIRD-PARTY.md', 'package.json']
      .map((file) => `package/${file}`)
      .sort()
  )
  const notices = execFileSync('tar', ['-xzOf', tarball, 'package/THIRD-PARTY.md'], { encoding: 'utf8' })
  for (const holder of [/The ggml authors/, /Mozilla Foundation/, /Node\.js API collaborators/]) {
    assert.match(notices, holder)
  }
})

test('what cannot be published as it should be is refused', () => {
  const script = (...args) => {
    const all = [path.join(root, 'scripts', 'package.mjs'), '--out', temporaryFolder(), ...args]
    const { status, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' })
    return { status, stderr }
  }
  const plain = spawnSync('npm', ['pack', '--dry-run'], { cwd: root, encoding: 'utf8' })
  assert.notEqual(plain.status, 0)
  assert.match(plain.stderr, /npm run package/)
  assert.match(
    script('--platform', 'plan9-x64').stderr,
    /no package for plan9-x64; there are linux-x64-cuda, linux-x64, /
  )

  const half = temporaryFolder()
  fs.writeFileSync(path.join(half, 'cpu-level.node'), '')
  const lacking = script('--cuda', '--from', half)
  assert.deepEqual([lacking.status, /lacks x86-64-v3\/vcap_native\.node/.test(lacking.stderr)], [1, true])

  // Bytes that do not compress, more than npm takes.
  fs.mkdirSync(path.join(half, 'x86-64-v3'))
  const noise = fs.openSync('/dev/urandom', 'r')
  const large = fs.openSync(path.join(half, 'x86-64-v3', 'vcap_native.node'), 'w')
  const block = Buffer.alloc(1 << 20)
  for (let i = 0; i < 165; i++) {
    fs.readSync(noise, block)
    fs.writeSync(large, block)
  }
  const tooLarge = script('--cuda', '--from', half)
  assert.equal(tooLarge.status, 1)
  assert.match(tooLarge.stderr, /has 173\.\d MB, and npm takes up to 170\.0 MB: split it by GPU architecture/)
})

test('installed with scripts blocked it works: ES module, CommonJS, TypeScript, command', async () => {
  const { paths } = await demoSamples({ clips: 1, images: 0 })
  fs.writeFileSync(at('package.json'), '{ "name": "outside", "private": true }')
  fs.writeFileSync(at('.npmrc'), `@vcap-native:registry=${registry.url}\n`)
  await npm('install', tarballOf(`vcap-native-${version}.tgz`))
  assert.deepEqual(fs.readdirSync(at('node_modules/@vcap-native')), [thisPlatform()])

  const ask = `captionVideo(process.argv[2], { model: 'demo', gpus: 'none' }).then(({ text }) => console.log(text))`
  fs.writeFileSync(at('esm.mjs'), `import { captionVideo } from 'vcap-native'\nawait ${ask}\n`)
  fs.writeFileSync(at('cjs.cjs'), `const { captionVideo } = require('vcap-native')\n${ask}\n`)
  fs.writeFileSync(
    at('types.mts'),
    `
    import { captionVideo, extractFrames, loadCaptioner, run, VcapError } from 'vcap-native'
    import type { Captioner, RowCaption, RowCaptioner, RunEvent } from 'vcap-native'
    const { text, tokens }: { text: string; tokens: number[] } = await captionVideo('x', { model: 'demo' })
    const captioner: Captioner = await loadCaptioner({ model: 'demo' })
    for await (const r of captioner.captionAll(['a'])) if (r.error) console.log(r.error.code satisfies string)
    // @ts-expect-error: no such option
    await captioner.caption('x', { frames: 3 })
    const { length }: { length: number } = await captioner.caption('x')
    const rows: RowCaptioner = captioner.rows({ maxTokens: 50 })
    const { rows: count }: { rows: number } = await run('in.csv', 'out.csv', { captioner: rows })
    // @ts-expect-error: a loaded model is no captioner of rows
    await run('in.csv', 'out.csv', { captioner })
    const own: RowCaptioner = {
      info: { name: 'mine', summary: '', digest: '', warnings: [], window: 4, concurrency: 2 },
      captionRow: async ({ path }): Promise<RowCaption> =>
        ({ status: 'ok', text: path, numFrames: null, error: null, usage: null }),
      close: async () => undefined
    }
    const width: number = (await captioner.embedImages(await extractFrames('x')))?.width
    export { text, tokens, width, length, count, own, VcapError }
    export type { RunEvent }`
  )
  const [esm, cjs] = [
    inProject(process.execPath, 'esm.mjs', paths[0]),
    inProject(process.execPath, 'cjs.cjs', paths[0])
  ]
  assert.match(esm, /background\.\n$/)
  assert.equal(cjs, esm)

  inProject(
    process.execPath,
    path.join(root, 'node_modules/typescript/bin/tsc'),
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--typeRoots',
    path.join(root, 'node_modules', '@types'),
    '--types',
    'node',
    'types.mts'
  )

  assert.match(inProject('npx', '--no-install', 'vcap-native', 'demo'), /\n14 of 14 captions are right\./)
})
