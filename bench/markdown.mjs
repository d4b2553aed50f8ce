/** The record's JSON files as Markdown tables for docs/performance.md: node bench/markdown.mjs FOLDER */
import fs from 'node:fs'
import path from 'node:path'
import { median, percent } from './rounds.mjs'

const folder = process.argv[2]
if (!folder) {
  console.error('usage: node bench/markdown.mjs FOLDER')
  process.exit(2)
}
const records = fs
  .readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')))

const cells = records.flatMap(({ cells = [] }) => cells)
const peers = [...new Set(cells.flatMap((cell) => cell.peers.map(({ name }) => name)))]
if (cells.length > 0) {
  print(
    ['model', 'workload', `${peers[0]}, videos/s`, ...peers.slice(1).map((name) => `× ${name}`)],
    cells.map(({ model, name, batch, peers: own }) => {
      const rate = (peer) => (peer?.seconds.length ? batch / median(peer.seconds) : undefined)
      const ours = rate(own[0])
      const ratio = (peer) => (rate(peer) && ours ? (ours / rate(peer)).toFixed(2) : '—')
      return [
        model,
        name,
        ours?.toPrecision(3) ?? '—',
        ...peers.slice(1).map((wanted) => ratio(own.find((peer) => peer.name === wanted)))
      ]
    })
  )
}

const towers = records.flatMap(({ towers = [] }) => towers)
if (towers.length > 0) {
  print(
    ['tower', 'tiles at once', 'tiles/s', 'over one at a time', 'of the GEMM rate'],
    towers.flatMap(({ model, gemm, rates }) =>
      rates.map(({ batch, tiles, ratio, gflops }) => [
        model,
        batch,
        tiles.toPrecision(3),
        ratio.toFixed(2),
        gemm && gflops ? `${((100 * gflops) / gemm).toFixed(0)} % of ${gemm.toFixed(0)} GFLOP/s` : ''
      ])
    )
  )
}

for (const { whole, bare, ratio, waits } of records.filter((record) => record.waits)) {
  const idle = median(waits.map((wait) => wait.idle))
  print(
    ['run from files', 'engine alone', 'ratio', 'engine waited for frames'],
    [[`${median(whole).toFixed(1)} tokens/s`, `${median(bare).toFixed(1)} tokens/s`, percent(ratio), percent(idle)]]
  )
}

const rows = records.find((record) => Array.isArray(record))
if (rows)
  print(
    ['rows', 'rows/s', 'memory'],
    rows.map((row) => [row.rows, Math.round(row.rowsPerSecond), `${row.megabytes.toFixed(0)} MB`])
  )

const quantised = records.flatMap(({ quantised = [] }) => quantised)
if (quantised.length > 0) {
  print(
    ['weights', 'keys and values', 'videos/s', 'clips right', 'images right'],
    quantised.map(({ weights, cache, videosPerSecond, clips, images }) => [
      weights,
      cache,
      videosPerSecond.toPrecision(3),
      percent(clips),
      percent(images)
    ])
  )
}

const growing = records.flatMap(({ clips = [] }) => clips)
if (growing.length > 0)
  print(
    ['rows', 'ms a clip', 'memory'],
    growing.map(({ rows: count, milliseconds, megabytes }) => [
      count,
      median(milliseconds).toFixed(1),
      `${megabytes.toFixed(0)} MB`
    ])
  )

const frames = records.find((record) => record.results)
if (frames) {
  const reference = frames.results.find(({ name }) => name.startsWith('OpenCV'))?.clipsPerSecond
  print(
    ['way', 'clips/s', '× OpenCV', 'CPU s a clip'],
    frames.results.map(({ name, skipped, clipsPerSecond, cpu }) =>
      skipped
        ? [name, skipped, '', '']
        : [
            name,
            clipsPerSecond.toPrecision(3),
            reference ? (clipsPerSecond / reference).toFixed(2) : '',
            cpu?.toFixed(2) ?? ''
          ]
    )
  )
}

function print(head, body) {
  const line = (columns) => `| ${columns.join(' | ')} |`
  console.log([line(head), line(head.map(() => '---')), ...body.map(line), ''].join('\n'))
}
