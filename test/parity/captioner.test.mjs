/** The whole way through the public API, from a picture's bytes to features and tokens. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bounds } from './check.mjs'
import { compareRows } from './compare.mjs'
import { readExpected } from './expected.mjs'
import { picture } from './picture.mjs'

const { loadCaptioner } = createRequire(import.meta.url)('../../dist/index.js')

for (const name of ['plain', 'llava15-pad']) {
  test(`${name}: embedImages and captionImages give the reference's features and tokens`, async () => {
    const expected = readExpected(fileURLToPath(new URL(`../fixtures/parity/${name}`, import.meta.url)))
    const pictures = expected.images.map(({ width, height, seed }) => picture(width, height, seed))
    const { model, mmproj, template: chatTemplate } = expected
    const captioner = await loadCaptioner({
      model,
      mmproj,
      chatTemplate,
      gpus: 'none',
      kvType: 'f32',
      sequences: 2,
      contextPerSequence: 1024,
      threads: 1
    })
    try {
      const packed = await captioner.embedImages(pictures, { anyres: 'full' })
      assert.deepEqual(
        packed.counts,
        expected.images.map(({ count }) => count)
      )
      let offset = 0
      for (const { features } of expected.images) {
        const { cosine, relative } = compareRows(
          packed.data.subarray(offset, (offset += features.length)),
          features,
          packed.width
        )
        assert.ok(
          cosine >= bounds.F32.cosine && relative <= bounds.F32.relative,
          `cosine ${cosine}, relative error ${relative}`
        )
      }
      for (const { images, question, tokens } of expected.captions) {
        const answer = await captioner.captionImages(
          images.map((i) => pictures[i]),
          { prompt: question, maxTokens: 32, anyres: 'full' }
        )
        assert.deepEqual(answer.tokens, tokens)
      }
    } finally {
      await captioner.close()
    }
  })
}
