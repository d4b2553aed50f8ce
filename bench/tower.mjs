/**
 * Measures the vision tower: tiles a second, one at a time against many at once, and that speed as a share of the one
 * that the same kernels reach on matrix products of the same shapes without anything around them.
 *
 *   npm run bench:tower -- [--models clip-l,demo] [--batches 1,4,16] [--rounds 5] [--threads N] [--type f16] \
 *     [--json FILE]
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { loadCaptioner } from '../dist/index.js'
import { llamaCppDir } from '../vendor/fetch.mjs'
import { inCache, root } from './cache.mjs'
import { machine, warnIfBusy } from './machine.mjs'
import { pair } from './pairs.mjs'
import { interleave, median } from './rounds.mjs'
import { buildLlamaTools, llamaTool } from './setup.mjs'
import { workOf } from './tower-work.mjs'
import { noise } from './workloads.mjs'

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'clip-l,demo' },
    batches: { type: 'string', default: '1,4,16' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(machine().cores) },
    type: { type: 'string', default: 'f16' },
    json: { type: 'string' }
  }
})
/** Tiles in each measurement; the same for every batch size, so that all do the same work. */
const tilesEach = 16
const batches = values.batches.split(',').map(Number)
warnIfBusy()
const results = { machine: machine(), date: new Date().toISOString(), threads: Number(values.threads), towers: [] }

for (const name of values.models.split(',')) results.towers.push(await measureTower(pair(name)))
const table = new Table({
  head: ['tower', 'tiles at once', 'tiles/s', 'over one at a time', 'GFLOP/s', 'of the GEMM rate'],
  style: { head: [], border: [] }
})
for (const { model, gemm, rates } of results.towers) {
  for (const { batch, tiles, ratio, gflops } of rates) {
    table.push([
      model,
      batch,
      tiles.toPrecision(3),
      ratio.toFixed(2),
      gflops?.toFixed(0) ?? '',
      gemm && gflops ? `${((gflops / gemm) * 100).toFixed(0)} % of ${gemm.toFixed(0)}` : ''
    ])
  }
}
console.log(table.toString())
if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)

async function measureTower({ name, model, mmproj, shape }) {
  const captioner = await loadCaptioner({
    model,
    mmproj,
    gpus: 'none',
    sequences: 1,
    contextPerSequence: 512,
    threads: Number(values.threads),
    anyres: 'off'
  })
  try {
    const side = captioner.info.vision.tileSize
    const work = shape ? workOf(shape.projector) : undefined
    const tiles = Array.from({ length: tilesEach }, (_, i) => ({
      data: noise(i + 1, side * side * 3),
      width: side,
      height: side
    }))
    await captioner.embedImages(tiles.slice(0, 1))
    const seconds = await interleave(batches, Number(values.rounds), (batch) => time(captioner, tiles, batch))
    const gemm = work && gemmRate(work)
    const one = median(seconds[batches.indexOf(1)] ?? seconds[0])
    const rates = batches.map((batch, place) => {
      const perSecond = tilesEach / median(seconds[place])
      return {
        batch,
        tiles: perSecond,
        ratio: one / median(seconds[place]),
        gflops: work && (perSecond * work.flops) / 1e9
      }
    })
    return { model: name, gemm, type: values.type, rates }
  } finally {
    await captioner.close()
  }
}

async function time(captioner, tiles, batch) {
  const started = performance.now()
  for (let first = 0; first < tiles.length; first += batch)
    await captioner.embedImages(tiles.slice(first, first + batch))
  return (performance.now() - started) / 1000
}

/** The GFLOP/s of the faster of ggml's kernels and ours in the tower's products with weights, one tile at a time. */
function gemmRate({ products }) {
  const { status, stdout, stderr } = spawnSync(
    gemmProgram(),
    [values.threads, values.type, ...products.flatMap(({ k, m, n }) => [k, m, n])].map(String),
    { encoding: 'utf8' }
  )
  if (status !== 0) throw new Error(`gemm failed: ${stderr}`)
  const rates = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
  const work = products.map(({ k, m, n, times }) => 2 * k * m * n * times)
  const [ggml, ours] = [0, 1].map(
    (kind) => work.reduce((sum, each) => sum + each, 0) / work.reduce((sum, each, i) => sum + each / rates[i][kind], 0)
  )
  console.error(
    `bench: matrix products of the tower's shapes: ggml ${ggml.toFixed(0)} GFLOP/s, ours ${ours.toFixed(0)}`
  )
  return Math.max(ggml, ours)
}

/** Builds bench/gemm.cpp with our kernels and the ggml that llama-bench was built with; returns the program's path. */
function gemmProgram() {
  buildLlamaTools()
  const program = inCache('gemm')
  const kernels = path.join(root, 'native', 'kernels')
  const sources = [
    path.join(root, 'bench', 'gemm.cpp'),
    ...fs
      .readdirSync(kernels)
      .filter((file) => file.endsWith('.cpp'))
      .map((file) => path.join(kernels, file))
  ]
  const built = fs.statSync(program, { throwIfNoEntry: false })?.mtimeMs
  if (sources.every((source) => built > fs.statSync(source).mtimeMs)) return program
  const ggml = path.join(path.dirname(path.dirname(llamaTool('llama-bench'))), 'ggml', 'src')
  const libraries = ['libggml.a', 'libggml-cpu.a', 'libggml-base.a'].map((file) => path.join(ggml, file))
  const includes = [
    path.join(root, 'native'),
    path.join(llamaCppDir(), 'ggml', 'include'),
    path.join(llamaCppDir(), 'ggml', 'src')
  ].flatMap((folder) => ['-I', folder])
  const args = [
    '-O3',
    '-std=c++17',
    '-march=native',
    '-ffp-contract=fast',
    ...includes,
    ...sources,
    ...libraries,
    ...libraries,
    '-fopenmp',
    '-lpthread',
    '-ldl',
    '-lm',
    '-o',
    program
  ]
  const { status, stderr } = spawnSync(process.env.CXX ?? 'c++', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gemm.cpp could not be built: ${stderr}`)
  return program
}
