/**
 * The table of docs/fidelity.md: Hugging Face, this package from its own pixels on, and
 * llama.cpp's own multimodal path, on the same weights, pictures and prompts.
 *
 *   python tools/parity/generate.py MODELS --seed 1
 *   cmake -S tools/parity/mtmd -B MTMD && cmake --build MTMD --target mtmd-peer
 *   node tools/parity/fidelity.mjs MODELS MTMD/mtmd-peer
 *
 * Single-image prompts only: with more, mtmd's rows cannot be told apart. Its features have
 * another order and number, so cosines are those of the overview's patches, the one part
 * that all three have in common.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { loadPair } from '../../test/parity/check.mjs'
import { compareTokens, meanCosine } from '../../test/parity/compare.mjs'
import { listExpected, readExpected } from '../../test/parity/expected.mjs'
import { picture } from '../../test/parity/picture.mjs'

const require = createRequire(import.meta.url)
const addon = process.env.VCAP_PARITY_ADDON
  ? require(process.env.VCAP_PARITY_ADDON)
  : require('../../dist/native/load.js').loadAddon()
const [models, peer] = process.argv.slice(2)
const templates = {
  chatml_direct: [
    '<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n',
    '\n{}<|im_end|><|im_start|>assistant\n'
  ],
  mistral_instruct: ['[INST] ', '\n{} [/INST]'],
  vicuna_v1: [vicuna('user'), '\n{} ASSISTANT:'],
  llava_v1: [vicuna('human'), '\n{} ASSISTANT:']
}

console.log(
  '| model | weights | tokens: HF | ours | llama.cpp ' +
    '| overview cosine: ours | llama.cpp | greedy tokens as HF: ours | llama.cpp |'
)
console.log('|---|---|---|---|---|---|---|---|---|')
for (const name of listExpected(models)) await compareModel(name)

async function compareModel(name) {
  const expected = readExpected(path.join(models, name))
  const model = await loadPair(addon, expected)
  const rows = []
  for (const caption of expected.captions.filter(({ images }) => images.length === 1)) {
    const image = expected.images[caption.images[0]]
    rows.push({
      image,
      steps: caption.tokens.length,
      ours: await runOurs(model, caption, image, expected),
      theirs: runPeer(caption, image, expected)
    })
  }
  await model.close()
  const refused = rows.some(({ theirs }) => !theirs)
  const sum = (pick) => rows.reduce((total, row) => total + pick(row), 0)
  const mean = (pick) => (sum(pick) / rows.length).toFixed(5)
  const steps = sum((row) => row.steps)
  console.log(
    `| ${[
      name,
      expected.precision,
      sum((row) => row.image.count),
      sum((row) => row.ours.count),
      refused ? 'refused' : sum((row) => row.theirs.count),
      mean((row) => row.ours.cosine),
      refused ? '' : mean((row) => row.theirs.cosine),
      `${sum((row) => row.ours.agreed)}/${steps}`,
      refused ? '' : `${sum((row) => row.theirs.agreed)}/${steps}`
    ].join(' | ')} |`
  )
}

async function runOurs(model, caption, image, expected) {
  const drawn = picture(image.width, image.height, image.seed)
  const features = await model.embed([drawn], 'full').promise
  const [answer] = await model.caption({
    pictures: [drawn],
    detail: 'full',
    questions: [{ prompt: caption.question, maxTokens: 32, temperature: 0, topP: 1, seed: 0, firstLogits: false }]
  }).promise
  const overview = overviewLength(expected)
  return {
    count: features.tokens,
    cosine: meanCosine(features.data.subarray(0, overview), image.features.subarray(0, overview), expected.width),
    agreed: compareTokens(answer.tokens, caption).agreed
  }
}

/** llama.cpp's figures; undefined where it refuses the files. */
function runPeer(caption, image, expected) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-mtmd-'))
  try {
    const rgb = path.join(folder, 'picture.rgb')
    const out = path.join(folder, 'features')
    fs.writeFileSync(rgb, picture(image.width, image.height, image.seed).data)
    const [before, after] = templates[expected.template]
    const args = [
      expected.model,
      expected.mmproj,
      before,
      after.replace('{}', () => caption.question),
      32,
      out,
      rgb,
      image.width,
      image.height
    ]
    const { status, stdout } = spawnSync(peer, args.map(String), { encoding: 'utf8' })
    if (status !== 0) return undefined
    const { counts, tokens } = JSON.parse(stdout)
    const bytes = fs.readFileSync(out)
    const features = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    // llama.cpp puts the features of the overview last.
    const overview = overviewLength(expected)
    return {
      count: counts.reduce((total, n) => total + n, 0),
      cosine: meanCosine(
        features.subarray(features.length - overview),
        image.features.subarray(0, overview),
        expected.width
      ),
      agreed: compareTokens(tokens, caption).agreed
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function overviewLength({ tileSize, patchSize, width }) {
  return (tileSize / patchSize) ** 2 * width
}

function vicuna(who) {
  return (
    `A chat between a curious ${who} and an artificial intelligence assistant. ` +
    `The assistant gives helpful, detailed, and polite answers to the ${who}'s questions. USER: `
  )
}
