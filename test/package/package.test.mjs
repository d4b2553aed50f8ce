import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const project = temporaryFolder()
const at = (name) => path.join(project, name)
const inProject = (command, ...args) => execFileSync(command, args, { cwd: project, encoding: 'utf8' })
const npm = (cwd, ...args) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit']
  })

test('the packed package works outside the repo: ES module, CommonJS, TypeScript, command', async () => {
  const { csv, paths } = await demoSamples({ clips: 1, images: 0 })
  npm(root, 'pack', '--pack-destination', project)
  const [tarball] = fs.readdirSync(project).filter((name) => name.endsWith('.tgz'))
  const listing = execFileSync('tar', ['tzf', at(tarball)], { encoding: 'utf8' })
  for (const wanted of [
    'bin/vcap-native',
    'dist/index.d.ts',
    'models/demo/vcap-demo.gguf',
    `prebuilds/${process.platform}-${process.arch}/`,
    'README.md',
    'LICENSE'
  ]) {
    assert.ok(listing.includes(`package/${wanted}`), `${wanted} is packed`)
  }

  fs.writeFileSync(at('package.json'), '{ "name": "outside", "private": true }')
  npm(project, 'install', '--ignore-scripts', '--prefer-offline', `./${tarball}`)

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

  const types = path.join(root, 'node_modules', '@types')
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
    types,
    '--types',
    'node',
    'types.mts'
  )

  inProject('node_modules/.bin/vcap-native', 'run', csv, at('out.csv'), '--model', 'demo')
  assert.match(fs.readFileSync(at('out.csv'), 'utf8'), /,ok,,\n$/)
})
