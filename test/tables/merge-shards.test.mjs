/** `merge` of shards: the whole run's output to the byte, and what is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { mergeTables, run } from '../../dist/index.js'
import { shardOf } from '../../dist/rows/shard.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const base = temporaryFolder()
let made = 0
function folder() {
  const name = path.join(base, String(made++))
  fs.mkdirSync(name)
  return { at: (file) => path.join(name, file), names: () => fs.readdirSync(name).sort() }
}

/** A captioner whose answers have all that makes a table hard to write: by the row's name. */
function captioner(digest = 'said') {
  const answers = [
    { text: 'A "red" circle,\nand a line; more.' },
    { status: 'truncated', text: 'A man walks and' },
    { text: "I'm sorry, but I can't help with that." },
    { status: 'unreadable', text: '', numFrames: null, error: 'it is\nbroken, "really"', usage: null },
    { text: 'Ein Kreis – 圆 – 🔴.' }
  ]
  const ok = { status: 'ok', numFrames: 1, error: null, usage: null }
  const captionRow = async ({ path: file, text }) => {
    const number = Number(/\d+/.exec(path.basename(file))?.[0] ?? 0)
    // Some clips show the same: many of a table, and few of a shard.
    const same = number % 37 === 0 ? { text: 'A test pattern of colour bars.' } : {}
    const own = { text: `${text ?? 'Clip'} ${number} is shown.` }
    if (path.basename(file).startsWith('rare')) return { ...ok, text: 'Rare, and the same on a dozen files.' }
    const caption = number % 3 === 0 ? own : { ...answers[number % answers.length], ...same }
    return { ...ok, numFrames: number, ...caption }
  }
  const info = { name: 'said', summary: 'said', digest, settings: { model: digest }, warnings: [], window: 64 }
  return { info: { ...info, concurrency: 16, usesText: true }, captionRow, close: async () => undefined }
}

/** Rows with quotes, separators, line ends, empty cells, and paths that are there again, near and far. */
const rowsOf = (count) =>
  Array.from({ length: count }, (_, i) => {
    const name = i % 11 === 0 ? `"clip, ""${i % 300}"".mp4"` : `clips/${i % 700}.mp4`
    return `${i % 97 === 0 ? '' : name},${i % 13 === 0 ? `"say\n""${i % 5}"""` : `t${i % 4}`},${i},\n`
  })

function writeTable(file, count) {
  fs.writeFileSync(file, `path,text,id,empty\n${rowsOf(count).join('')}`)
}

async function runShards(at, count, options = {}) {
  const parts = []
  for (let index = 0; index < count; index++) {
    const part = at(`out-${index}-of-${count}.csv`)
    await run(at('in.csv'), part, { captioner: captioner(), shard: `${index}/${count}`, ...options })
    parts.push(part)
  }
  return parts
}

/** 1,000 rows, the whole run's output, and their shards by how many there are. */
const { at, names } = folder()
before(async () => {
  writeTable(at('in.csv'), 1000)
  await run(at('in.csv'), at('whole.csv'), { captioner: captioner() })
})

for (const count of [1, 2, 3, 7]) {
  test(`${count} shards of 1,000 rows are the whole run's output, to the byte`, async () => {
    const parts = await runShards(at, count)
    const merged = at(`merged-${count}.csv`)
    const { rows, kind, parts: told } = await mergeTables(parts.toReversed(), merged)
    assert.deepEqual(fs.readFileSync(merged), fs.readFileSync(at('whole.csv')))
    assert.equal(rows, 1000)
    assert.equal(kind, count === 1 ? 'tables' : 'shards')
    assert.equal(
      told.reduce((sum, part) => sum + part.rows, 0),
      1000
    )
    assert.deepEqual(
      names().filter((name) => name.startsWith('.')),
      []
    )
  })
}

/** Rows of a file that are flagged as duplicates, by their captions' first words. */
const flagged = (file, words) =>
  readRows(file).filter(({ flags, text }) => flags.split(';').includes('duplicate') && text.startsWith(words)).length

test('the flag duplicate is counted for the whole: a caption that no shard has often enough has it', () => {
  assert.ok(flagged(at('whole.csv'), 'A test pattern') >= 10)
  assert.equal(flagged(at('merged-7.csv'), 'A test pattern'), flagged(at('whole.csv'), 'A test pattern'))
  for (let index = 0; index < 7; index++) assert.equal(flagged(at(`out-${index}-of-7.csv`), 'A test pattern'), 0)
})

test('the flag duplicate is counted for the whole: a caption that one shard has too often has it no more', async () => {
  const { at } = folder()
  writeTable(at('in.csv'), 10_090)
  const names = Array.from({ length: 60 }, (_, i) => `rare ${i}.mp4`).filter((name) => shardOf(name, 2) === 0)
  fs.appendFileSync(
    at('in.csv'),
    names
      .slice(0, 10)
      .map((name) => `${name},,,\n`)
      .join('')
  )
  const whole = await run(at('in.csv'), at('whole.csv'), { captioner: captioner() })
  const parts = await runShards(at, 2)
  assert.deepEqual([flagged(parts[0], 'Rare'), flagged(at('whole.csv'), 'Rare')], [10, 0])
  const { flags, statuses } = await mergeTables(parts, at('merged.csv'))
  assert.deepEqual(fs.readFileSync(at('merged.csv')), fs.readFileSync(at('whole.csv')))
  assert.deepEqual({ statuses, flags }, { statuses: whole.statuses, flags: whole.flags })
})

for (const options of [
  { compat: 'open-sora' },
  { clean: true, trimSentence: true },
  { allowPartial: true },
  { retryFlagged: ['refusal'] }
]) {
  test(`the same with ${JSON.stringify(options)}`, async () => {
    const { at } = folder()
    writeTable(at('in.csv'), 300)
    await run(at('in.csv'), at('whole.csv'), { captioner: captioner(), ...options })
    await mergeTables(await runShards(at, 3, options), at('merged.csv'))
    assert.deepEqual(fs.readFileSync(at('merged.csv')), fs.readFileSync(at('whole.csv')))
  })
}

test('a table of one row: shards without rows are merged as the others', async () => {
  const { at } = folder()
  writeTable(at('in.csv'), 1)
  await run(at('in.csv'), at('whole.csv'), { captioner: captioner() })
  await mergeTables(await runShards(at, 3), at('merged.csv'))
  assert.deepEqual(fs.readFileSync(at('merged.csv')), fs.readFileSync(at('whole.csv')))
})

test('shards on machines of their own: other folders, other roots, the table elsewhere by the merge', async () => {
  const { at } = folder()
  writeTable(at('in.csv'), 200)
  await run(at('in.csv'), at('whole.csv'), { captioner: captioner() })
  const parts = []
  for (const index of [0, 1, 2]) {
    const machine = folder()
    fs.copyFileSync(at('in.csv'), machine.at('in.csv'))
    const made = machine.at('out.csv')
    await run(machine.at('in.csv'), made, { captioner: captioner(), shard: `${index}/3`, root: path.dirname(made) })
    const part = at(`part-${index}.csv`)
    fs.renameSync(made, part)
    fs.renameSync(`${made}.vcap`, `${part}.vcap`)
    fs.rmSync(machine.at('in.csv'))
    parts.push(part)
  }
  await assert.rejects(mergeTables(parts, at('merged.csv')), {
    code: 'usage',
    message: /in\.csv is not there: --input/
  })
  await mergeTables(parts, at('merged.csv'), { input: at('in.csv') })
  assert.deepEqual(fs.readFileSync(at('merged.csv')), fs.readFileSync(at('whole.csv')))
})

test('one name stands for the shards beside it, and is where they go', async () => {
  const { at, names } = folder()
  writeTable(at('in.csv'), 50)
  await run(at('in.csv'), at('whole.csv'), { captioner: captioner() })
  for (const index of [0, 1]) {
    await run(at('in.csv'), at('out.shard-{shard}.csv'), { captioner: captioner(), shard: `${index}/2` })
  }
  assert.equal((await mergeTables([at('out.csv')])).output, fs.realpathSync(at('out.csv')))
  assert.deepEqual(fs.readFileSync(at('out.csv')), fs.readFileSync(at('whole.csv')))
  await mergeTables([at('out.shard-{shard}.csv')], at('other.csv'))
  await mergeTables([at('out.csv')], at('again.csv'))
  assert.deepEqual(fs.readFileSync(at('again.csv')), fs.readFileSync(at('whole.csv')))
  await run(at('in.csv'), at('out.shard-{shard}.csv'), { captioner: captioner(), shard: '1/3' })
  await assert.rejects(mergeTables([at('out.csv')]), { code: 'usage', message: /has shards of 2 and of 3/ })
  assert.ok(names().includes('out.csv'))
})

test('to standard output, with duplicates counted before the first row', async () => {
  const parts = [0, 1, 2].map((index) => at(`out-${index}-of-3.csv`))
  const { status, stdout, stderr } = await cli(['merge', ...parts, '-o', '-'])
  assert.equal(status, 0, stderr)
  assert.equal(stdout, fs.readFileSync(at('whole.csv'), 'utf8'))
  assert.match(stderr, /3 shards of one run, 1,000 rows \(.*\): -\n/)
  const { stdout: json } = await cli(['merge', ...parts, '-o', at('json.csv'), '--json'])
  assert.equal(JSON.parse(json).rows, 1000)
})

/** Three shards in a folder of their own, of which something is wrong after `change`. */
async function refused(change, expected, mergeOptions = {}) {
  const { at } = folder()
  writeTable(at('in.csv'), 60)
  const parts = await runShards(at, 3)
  fs.writeFileSync(at('merged.csv'), 'before')
  const changed = (await change({ at, parts })) ?? parts
  await assert.rejects(mergeTables(changed, at('merged.csv'), mergeOptions), { name: 'VcapError', ...expected })
  assert.equal(fs.readFileSync(at('merged.csv'), 'utf8'), 'before', 'an output that was there stays')
  return { at, parts }
}
const shardAgain = (at, index, options = {}) =>
  run(at('in.csv'), at(`out-${index}-of-3.csv`), { captioner: captioner(), shard: `${index}/3`, ...options })

test('a missing shard is refused by its number', async () => {
  const one = { code: 'usage', message: /^Shard 1 of 3 is missing: .*--shard 1\/3/ }
  await refused(({ parts }) => [parts[0], parts[2]], one)
  const two = { code: 'usage', message: /^Shards 0, 1 of 3 are missing/ }
  await refused(({ parts }) => [parts[2]], two)
})

test('a doubled shard is refused by its number', async () => {
  const message = /^Shard 2 of 3 is given twice: .*out-2-of-3\.csv and .*out-2-of-3\.csv$/
  await refused(({ parts }) => [...parts, parts[2]], { code: 'usage', message })
  await refused(({ parts }) => [parts[0], parts[2], parts[2]], { code: 'usage', message })
})

test('an unfinished shard is refused by its number, with how far it is', async () => {
  const message = /^Shard 1 of 3 \(.*\) is not finished: \d+ of \d+ rows are done/
  await refused(
    async ({ at, parts }) => {
      const { captionRow, ...others } = captioner()
      let asked = 0
      const failing = async (row, signal) => {
        if (asked++ > 5) throw Object.assign(new Error('lost'), { code: 'engine_lost' })
        return captionRow(row, signal)
      }
      await assert.rejects(shardAgain(at, 1, { captioner: { ...others, captionRow: failing }, restart: true }))
      return parts
    },
    { code: 'usage', message }
  )
})

test('a shard of another run is refused by its number, with what differs; settings that may, may', async () => {
  const message =
    /^Shard 2 of 3 .* is not of one run with Shard 0 of 3 .*: model is "other" and not "said".*--may-differ/
  const { at, parts } = await refused(
    ({ at }) => shardAgain(at, 2, { captioner: captioner('other'), restart: true }).then(() => undefined),
    { code: 'run_differs', message }
  )
  const { rows } = await mergeTables(parts, at('merged.csv'), { mayDiffer: ['model'] })
  assert.equal(rows, 60)
})

test('a shard of another number of shards, and one that is none', async () => {
  await refused(
    async ({ at, parts }) => {
      await run(at('in.csv'), at('odd.csv'), { captioner: captioner(), shard: '1/2' })
      return [parts[0], at('odd.csv'), parts[2]]
    },
    { code: 'usage', message: /Shard 1 of 2 .* and Shard 0 of 3 .* are of two splits/ }
  )
  const message = /out-0-of-3\.csv is a shard of a run and .*whole\.csv is none/
  await refused(
    async ({ at, parts }) => {
      await run(at('in.csv'), at('whole.csv'), { captioner: captioner() })
      return [parts[0], at('whole.csv'), parts[2]]
    },
    { code: 'usage', message }
  )
})

test('a table that grew between two shards is refused, until all are of it', async () => {
  const grow = (at) => fs.appendFileSync(at('in.csv'), 'late.mp4,,60,\n')
  const message = /^Shard 1 of 3 .*: its table had 60 rows and not 61\. Run both again/
  const { at, parts } = await refused(
    async ({ at }) => {
      grow(at)
      await shardAgain(at, 0)
    },
    { code: 'run_differs', message }
  )
  for (const index of [1, 2]) await shardAgain(at, index)
  assert.equal((await mergeTables(parts, at('merged.csv'))).rows, 61)
  await refused(({ at }) => void grow(at), { code: 'run_differs', message: /has 61 rows and not 60\. Run each shard/ })
})

test('a table with other cells, or rows in another order, is refused', async () => {
  const rewrite = (at, change) => {
    const [header, ...lines] = fs.readFileSync(at('in.csv'), 'utf8').split(/\n(?=[^"]*(?:"[^"]*"[^"]*)*$)/)
    fs.writeFileSync(at('in.csv'), [header, ...change(lines)].join('\n'))
  }
  const other = { code: 'run_differs', message: /is not the table of which the shards are: it has/ }
  await refused(({ at }) => rewrite(at, ([a, b, ...rest]) => [b, a, ...rest]), other)
  await refused(({ at }) => rewrite(at, ([a, ...rest]) => [a.replace(',0,', ',x,'), ...rest]), other)
  const between = { code: 'run_differs', message: /^Shard 1 of 3 .*: its table had other cells\./ }
  await refused(async ({ at }) => {
    rewrite(at, ([a, b, ...rest]) => [b, a, ...rest])
    await shardAgain(at, 0)
  }, between)
})

test('an output that was changed since is refused, and made anew by its command', async () => {
  const cut = ({ at }) => {
    const file = at('out-1-of-3.csv')
    const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n')
    fs.writeFileSync(file, `${lines.slice(0, -1).join('\n')}\n`)
  }
  const message =
    /^Shard 1 of 3 .* has \d+ rows and its run \d+: it was changed since\. Its command again makes it anew/
  const { at, parts } = await refused(cut, { code: 'run_differs', message })
  await shardAgain(at, 1)
  assert.equal((await mergeTables(parts, at('merged.csv'))).rows, 60)
  await refused(
    ({ at }) => {
      const file = at('out-1-of-3.csv')
      fs.writeFileSync(
        file,
        fs.readFileSync(file, 'utf8').replace('path,', 'file,path,').replaceAll('\nclips', '\n,clips')
      )
    },
    { name: 'VcapError' }
  )
})

test('texts that were edited otherwise are refused', async () => {
  const message = /^Shard 1 of 3 .* edited otherwise/
  await refused(({ at }) => shardAgain(at, 1, { clean: true }).then(() => undefined), { code: 'run_differs', message })
})

test('a part that is not there, an output that is a part or the table, a signal', async () => {
  await refused(({ at }) => [at('gone.csv')], { code: 'usage', message: /gone\.csv not found/ })
  const { at } = folder()
  writeTable(at('in.csv'), 10)
  const parts = await runShards(at, 2)
  for (const output of [parts[1], at('in.csv')]) {
    await assert.rejects(mergeTables(parts, output), { code: 'usage', message: /is the input .*: name another file/ })
  }
  await assert.rejects(mergeTables(parts, at('x.csv'), { signal: AbortSignal.abort() }), { code: 'aborted' })
  await assert.rejects(mergeTables([], at('x.csv')), { code: 'usage', message: /at least one part/ })
  await assert.rejects(mergeTables(parts), { code: 'usage', message: /Expected an output/ })
})

test('clips through the demo model: three shards are the whole, also one that is run again', async () => {
  const { folder: media, csv } = await demoSamples({ clips: 4, images: 2, largest: 96 })
  const at = (name) => path.join(media, name)
  const captions = (...args) => cli(['run', csv, ...args, '--model', 'demo', '--gpus', 'none'])
  assert.equal((await captions(at('whole.csv'))).status, 0)
  for (const index of [0, 1, 2])
    assert.equal((await captions(at('out-{shard}.csv'), '--shard', `${index}/3`)).status, 0)
  const again = readRows(at('out-1-of-3.csv'))
  assert.equal((await captions(at('out-{shard}.csv'), '--shard', '1/3', '--restart')).status, 0)
  assert.deepEqual(readRows(at('out-1-of-3.csv')), again)
  const parts = [0, 1, 2].map((index) => at(`out-${index}-of-3.csv`))
  const { status, stderr } = await cli(['merge', ...parts, '--output', at('merged.csv')])
  assert.equal(status, 0, stderr)
  assert.deepEqual(fs.readFileSync(at('merged.csv')), fs.readFileSync(at('whole.csv')))
})
