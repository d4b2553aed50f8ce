/** Sections of the check: how fast the devices are, and how much of that the models get. */
import { loadCaptioner } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'
import { machine } from '../machine.mjs'
import { percent } from '../rounds.mjs'
import { workOf } from '../tower-work.mjs'
import { noise } from '../workloads.mjs'
import { checkedPair } from './models.mjs'
import { Skip } from './target.mjs'

const tera = (rate) => `${(rate / 1e12).toPrecision(3)} T`
const giga = (rate) => `${(rate / 1e9).toPrecision(3)} G`

/** What each device reaches without a model: the measure for the sections after it. */
export async function rates({ target, short }) {
  const side = target.kind === 'gpu' && !short ? 8192 : 1024
  const measured = target.devices().map(({ name, description }) => {
    return { name, description, ...loadAddon().testing.deviceRates(name, side, machine().cores) }
  })
  return {
    summary: `square products of ${side} numbers a side`,
    table: {
      head: ['device', 'F16 products, FLOP/s', 'F32 products, FLOP/s', 'reading, B/s', 'upload, B/s'],
      rows: measured.map(({ name, halfProducts, floatProducts, reading, upload }) => [
        name,
        tera(halfProducts),
        tera(floatProducts),
        giga(reading),
        giga(upload)
      ])
    },
    data: { measured }
  }
}

/** A share of the first device's rate, where the section `rates` has run. */
function shareOf({ earlier }, kind, rate) {
  const known = earlier.rates?.measured?.[0]?.[kind]
  return known === undefined ? '' : percent(rate / known)
}

/** Tiles a second, and the share of the device's rate in products of F16 weights. */
export async function tower(context) {
  const { name, model, mmproj, shape } = checkedPair(context.model)
  const options = { model, mmproj, sequences: 1, contextPerSequence: 1024, anyres: 'off', ...context.target.settings }
  const captioner = await loadCaptioner(options)
  try {
    const side = captioner.info.vision.tileSize
    const counts = context.short ? [1, 8] : [1, 4, 16, 64]
    const tiles = Array.from({ length: counts.at(-1) }, (_, i) => picture(i + 1, side, side))
    const measured = []
    for (const count of counts) {
      const seconds = await fastest(() => captioner.embedImages(tiles.slice(0, count)), context.short ? 2 : 4)
      const perSecond = count / seconds
      const flops = shape && perSecond * workOf(shape.projector).flops
      measured.push({ count, perSecond, flops })
    }
    return {
      summary: `${name}: ${Math.max(...measured.map(({ perSecond }) => perSecond)).toPrecision(3)} tiles/s`,
      table: {
        head: ['tiles at once', 'tiles/s', 'FLOP/s', 'of the device’s F16 products'],
        rows: measured.map(({ count, perSecond, flops }) => [
          count,
          perSecond.toPrecision(3),
          flops ? tera(flops) : '',
          flops ? shareOf(context, 'halfProducts', flops) : ''
        ])
      },
      data: { model: name, measured }
    }
  } finally {
    await captioner.close()
  }
}

/** One caption and sixteen at once: videos, prefill and decode, and decode's share of the device's reading. */
export async function captions(context) {
  const checked = checkedPair(context.model)
  const { captioner, sequences } = await load(checked, context.target.settings)
  try {
    const measured = []
    for (const batch of [...new Set([1, sequences])])
      measured.push(await measure(captioner, checked, batch, context.short))
    return {
      summary:
        `${checked.name}: ${captioner.info.devices.join(', ')}, ${checked.frames} × 640x360 a caption, ` +
        `${measured[0].tokens} tokens each` +
        (sequences < 16 ? `; memory is enough for ${sequences} at once` : ''),
      table: speedTable(context, measured),
      data: { model: checked.name, measured }
    }
  } finally {
    await captioner.close()
  }
}

function speedTable(context, measured) {
  return {
    head: [
      'at once',
      'captions/s',
      'prefill, tokens/s',
      'decode, tokens/s',
      'read while decoding, B/s',
      'of the device'
    ],
    rows: measured.map(({ batch, perSecond, prefill, decode, reading }) => [
      batch,
      perSecond.toPrecision(3),
      prefill.toFixed(0),
      decode.toFixed(0),
      giga(reading),
      shareOf(context, 'reading', reading)
    ])
  }
}

/** Loads a pair for as many captions at once as fit, up to sixteen. */
async function load({ model, mmproj, frames }, settings, more = {}) {
  for (const sequences of [16, 8, 4, 2, 1]) {
    try {
      const options = { model, mmproj, sequences, contextPerSequence: 2048 * frames + 256, ...settings, ...more }
      return { sequences, captioner: await loadCaptioner(options) }
    } catch (error) {
      if (error.code !== 'out_of_memory') throw error
      if (sequences === 1) throw new Skip(error.message)
    }
  }
}

/**
 * The times of `batch` captions of one token and of many tell prefill and decode apart. While decoding, each step reads
 * the weights once, and each caption's keys and values.
 */
async function measure(captioner, { frames }, batch, short) {
  const tokens = short ? 17 : 65
  const pictures = Array.from({ length: batch }, (_, video) =>
    Array.from({ length: frames }, (_, frame) => picture(100 * video + frame + 1, 640, 360))
  )
  const run = async (maxTokens) => {
    const started = performance.now()
    const made = await Promise.all(
      pictures.map((images) => captioner.captionImages(images, { maxTokens, ignoreEos: true }))
    )
    return { seconds: (performance.now() - started) / 1000, made }
  }
  if (batch === 1) await run(2) // memory is allocated and kernels are chosen
  const [first, whole] = [await run(1), await run(tokens)]
  const positions = first.made.reduce((sum, { imageTokens, promptTokens }) => sum + imageTokens + promptTokens, 0)
  const step = Math.max(1e-6, (whole.seconds - first.seconds) / (tokens - 1))
  const { modelBytes, kvBytesPerPosition } = captioner.info
  return {
    batch,
    tokens,
    perSecond: batch / whole.seconds,
    prefill: positions / first.seconds,
    decode: batch / step,
    reading: (modelBytes + positions * kvBytesPerPosition) / step
  }
}

/** Two devices under one model: whole layers on each, and each tensor in two parts. */
export async function split(context) {
  const { settings } = context.target
  const count = settings.rpc?.length ?? (context.target.kind === 'gpu' ? context.target.devices().length : 1)
  if (count < 2) throw new Skip('there is one device')
  const two = settings.rpc ? { gpus: 'none', rpc: settings.rpc.slice(0, 2) } : { gpus: '0-1' }
  const checked = checkedPair(context.model)
  const measured = []
  for (const splitMode of ['layer', 'tensor']) {
    const { captioner, sequences } = await load(checked, two, { splitMode })
    try {
      for (const batch of [...new Set([1, sequences])])
        measured.push({ splitMode, ...(await measure(captioner, checked, batch, context.short)) })
    } finally {
      await captioner.close()
    }
  }
  const table = speedTable(context, measured)
  return {
    summary: `${checked.name} on two devices`,
    table: { head: ['split', ...table.head], rows: table.rows.map((row, i) => [measured[i].splitMode, ...row]) },
    data: { model: checked.name, measured }
  }
}

function picture(seed, width, height) {
  return { data: noise(seed, width * height * 3), width, height }
}

/** Seconds of the fastest of some runs, after one that is not counted. */
async function fastest(run, runs) {
  await run()
  let best = Infinity
  for (let i = 0; i < runs; i++) {
    const started = performance.now()
    await run()
    best = Math.min(best, (performance.now() - started) / 1000)
  }
  return best
}
