/** A model's file that is cut off while a run uses it: mapped, the run stops; in memory, nothing happens. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { loadCaptioner } from '../../dist/index.js'
import { cli, readRows, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const folder = temporaryFolder()
const demo = path.join(root, 'models', 'demo', 'vcap-demo.gguf')
const mmproj = path.join(root, 'models', 'demo', 'vcap-demo-mmproj.gguf')

/** A copy of the demo model, which `cut()` cuts off. */
function copy(name) {
  const model = path.join(folder, name)
  fs.copyFileSync(demo, model)
  return { model, cut: () => fs.truncateSync(model, 4096) }
}
const disc = { data: new Uint8Array(3 * 64 * 64).fill(90), width: 64, height: 64 }

for (const mmap of [true, false]) {
  test(`a captioner whose model's file is cut off, ${mmap ? 'mapped' : 'in memory'}`, async () => {
    const { model, cut } = copy(`library-${mmap}.gguf`)
    const captioner = await loadCaptioner({ model, mmproj, mmap, sequences: 2, gpus: 'none' })
    try {
      const { text } = await captioner.captionImages([disc], { maxTokens: 20 })
      cut()
      const again = captioner.captionImages([disc], { maxTokens: 20 })
      if (mmap) {
        const changed = /model file .* was changed or cut off while it was in use/
        await assert.rejects(again, (error) => error.code === 'engine_error' && changed.test(error.message))
      } else {
        assert.equal((await again).text, text)
      }
    } finally {
      await captioner.close()
    }
  })
}

for (const mmap of [true, false]) {
  test(`a run whose model's file is cut off in its middle, ${mmap ? 'mapped' : 'in memory'}`, async () => {
    const { model, cut } = copy(`run-${mmap}.gguf`)
    const { folder: media, paths } = await demoSamples({ clips: 0, images: 3 })
    const table = path.join(media, 'long.csv')
    const rows = 60
    fs.writeFileSync(table, `path\n${Array.from({ length: rows }, (_, i) => `${paths[i % 3]}\n`).join('')}`)
    const output = path.join(media, `${mmap}.csv`)
    let isCut = false
    const onStderr = (text) => {
      if (isCut || !/"status":"ok"/.test(text)) return
      isCut = true
      cut()
    }
    const options = ['--model', model, '--mmproj', mmproj, '--gpus', 'none', '--bs', '2', '--json']
    const { status, signal, stderr } = await cli(['run', table, output, ...options, ...(mmap ? [] : ['--no-mmap'])], {
      onStderr
    })
    assert.equal(signal, null, stderr.slice(-2000))
    assert.ok(isCut)
    if (mmap) {
      assert.equal(status, 75, stderr.slice(-2000))
      assert.match(stderr, /model file .* was changed or cut off while it was in use/)
    } else {
      assert.equal(status, 0, stderr.slice(-2000))
      const captions = readRows(output).map(({ text }) => text)
      assert.equal(captions.length, rows)
      assert.deepEqual(
        captions,
        captions.map((_, i) => captions[i % 3])
      )
    }
  })
}
