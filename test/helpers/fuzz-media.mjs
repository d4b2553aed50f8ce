import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { rowErrorCodes } from '../../dist/errors.js'
import { findFfmpeg } from '../../dist/frames/tools.js'
import { loadCaptioner, run } from '../../dist/index.js'
import { readRows } from './cli.mjs'
import { damageMedia } from './damage-media.mjs'
import { writeMediaSeeds } from './media-seeds.mjs'
import { Random } from './random-tables.mjs'

const statuses = ['ok', 'truncated', 'empty', ...rowErrorCodes]

/** Readers of videos, each with the options that choose it. */
export const readers = { libraries: {}, command: { ffmpeg: findFfmpeg(undefined).path } }

/** What is counted by an error's text, besides the statuses. */
const told = [
  ['decoder ended', /ends the process that does it/],
  ['refused memory', /takes more memory than a decoder may have/],
  ['took too long', /^Decoding it took too long/],
  ['unforeseen', /not foreseen/]
]

/**
 * Captions `count` damaged media files of a seed with the demo model, each by both readers or those in `by`,
 * and holds what must be true
 * whatever a file has in it: every row is answered in its place with a status and, without a caption, a reason of one
 * line; nothing is left of processes, temporary files and descriptors; memory does not grow. Returns counts for each
 * reader. Throws for the first batch that is wrong and leaves its files in `folder`. `keep` takes the rows whose files
 * are of interest afterwards: decoders that ended, deadlines, faults of ours.
 */
export async function fuzzMedia({ seed, count, folder, by = Object.keys(readers), batch = 200, onBatch, keep }) {
  const seedFolder = path.join(folder, 'seeds')
  const temporary = path.join(folder, 'tmp')
  for (const each of [seedFolder, temporary]) fs.mkdirSync(each, { recursive: true })
  const seeds = (await writeMediaSeeds(seedFolder)).map((file) => ({
    name: path.basename(file),
    bytes: fs.readFileSync(file)
  }))
  const counts = Object.fromEntries(by.map((reader) => [reader, {}]))
  const outer = process.env.TMPDIR
  process.env.TMPDIR = temporary
  const model = await loadCaptioner({ model: 'demo', gpus: 'none', maxTokens: 16, decodeTimeout: 60, decodeMemory: 1 })
  try {
    let first
    for (let done = 0; done < count; done += batch) {
      const names = writeBatch(path.join(folder, 'media'), seeds, seed, done, Math.min(batch, count - done))
      for (const reader of by) {
        await fuzzBatch(folder, names, model.rows(readers[reader]), counts[reader], (row) => keep?.(reader, row))
      }
      const now = resources(temporary)
      first ??= now
      assert.deepEqual(now.files, [], 'temporary files are left')
      assert.ok(now.descriptors <= first.descriptors + 16, `descriptors: ${first.descriptors}, then ${now.descriptors}`)
      assert.ok(now.memory <= first.memory + maxGrowth, `resident memory: ${first.memory}, then ${now.memory}`)
      onBatch?.(Math.min(count, done + batch), now)
    }
  } finally {
    await model.close()
    if (outer === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = outer
  }
  await requireNoChildren()
  return counts
}

/** Bytes by which this process may grow after its first batch. */
const maxGrowth = 256 * 2 ** 20

/** Writes the damaged files from number `first` on, in place of those that were there. Returns their names. */
function writeBatch(folder, seeds, seed, first, count) {
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder)
  return Array.from({ length: count }, (_, i) => {
    const random = new Random(Math.imul(seed, 0x9e3779b1) + first + i)
    const [one, other] = [random.pick(seeds), random.pick(seeds)]
    const { bytes, ways } = damageMedia(random, one.bytes, other.bytes)
    const name = `${first + i}-${ways.join('-')}-${one.name}`
    fs.writeFileSync(path.join(folder, name), bytes)
    return name
  })
}

async function fuzzBatch(folder, names, captioner, counts, keep) {
  const [input, output] = [path.join(folder, 'media', 'in.csv'), path.join(folder, 'out.csv')]
  fs.writeFileSync(input, `path\n${names.join('\n')}\n`)
  await run(input, output, { captioner, restart: true })
  const rows = readRows(output)
  assert.deepEqual(
    rows.map((row) => row.path),
    names
  )
  for (const row of rows) {
    const { path: name, status, error, text, num_frames: length } = row
    assert.ok(statuses.includes(status), `${name}: ${status}`)
    const isCaptioned = status === 'ok' || status === 'truncated'
    assert.equal(isCaptioned, text !== '', `${name}: ${status}, ${text}`)
    if (isCaptioned) assert.ok(Number(length) > 0 && error === '', `${name}: ${length} frames, ${error}`)
    else assert.match(error, /^[^\r\n]+$/, `${name}: ${status}`)
    counts[status] = (counts[status] ?? 0) + 1
    for (const [what, pattern] of told) {
      if (!pattern.test(error)) continue
      counts[what] = (counts[what] ?? 0) + 1
      keep({ file: path.join(folder, 'media', name), what, ...row })
    }
  }
}

function resources(temporary) {
  return {
    files: fs.readdirSync(temporary, { recursive: true }),
    descriptors: fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc/self/fd').length : 0,
    memory: process.memoryUsage.rss()
  }
}

/** No process is left of those that this one started, nor of those that they started. */
async function requireNoChildren() {
  let left
  for (let i = 0; i < 50; i++) {
    left = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, parent, command]) => Number(parent) === process.pid && command !== 'ps')
    if (left.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.deepEqual(left, [])
}
