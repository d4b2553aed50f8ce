/** `--shard`: which rows a shard has, who says which it is, where its output goes. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { findLaunched } from '../../dist/launcher.js'
import { shardName, shardPattern } from '../../dist/rows/shard-name.js'
import { chooseShard } from '../../dist/run/choose-shard.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { requireEvents } from '../helpers/events.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const base = temporaryFolder()
let made = 0
/** A folder of its own, and a table of `rows` in it of which some paths are there twice and more. */
function table(rows) {
  const folder = path.join(base, String(made++))
  fs.mkdirSync(folder)
  const input = path.join(folder, 'in.csv')
  const lines = Array.from({ length: rows }, (_, i) => `clip ${i % Math.ceil(rows * 0.8)}.mp4,${i}\n`)
  fs.writeFileSync(input, `path,id\n${lines.join('')}`)
  return { folder, input, at: (name) => path.join(folder, name) }
}
const usage = (message) => ({ name: 'VcapError', code: 'usage', message })
const readRun = (output) => JSON.parse(fs.readFileSync(path.join(`${output}.vcap`, 'run.json'), 'utf8'))

test('every row is in one shard, rows of one path in the same, in the order of the table', async () => {
  const { input, at } = table(500)
  for (const count of [1, 2, 3, 7]) {
    const shards = []
    for (let index = 0; index < count; index++) {
      const output = at(`out-${index}-of-${count}.csv`)
      const { rows } = await run(input, output, { captioner: nullCaptioner(), shard: `${index}/${count}` })
      shards.push(readRows(output))
      assert.equal(shards.at(-1).length, rows)
    }
    const all = shards.flatMap((rows) => rows.map(({ id }) => Number(id)))
    assert.deepEqual(
      all.toSorted((a, b) => a - b),
      Array.from({ length: 500 }, (_, i) => i)
    )
    const shardsOf = new Map()
    for (const [index, rows] of shards.entries()) {
      const ids = rows.map(({ id }) => Number(id))
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b)
      )
      for (const { path: name } of rows) shardsOf.set(name, (shardsOf.get(name) ?? new Set()).add(index))
      assert.ok(rows.length > 300 / count, `shard ${index} of ${count} has ${rows.length} rows`)
    }
    for (const [name, found] of shardsOf) assert.equal(found.size, 1, name)
  }
})

test('a row is in the same shard wherever the files are, whatever the format and the rest of the row', async () => {
  const { input, at, folder } = table(40)
  await run(input, at('a.csv'), { captioner: nullCaptioner(), shard: '1/3' })
  fs.mkdirSync(at('elsewhere'))
  const moved = path.join(folder, 'elsewhere', 'moved.csv')
  const rows = readRows(input).map(({ path: name, id }) => `x${id},"${name}",y\n`)
  fs.writeFileSync(moved, `id,path,note\n${rows.reverse().join('')}`)
  await run(moved, at('b.csv'), { captioner: nullCaptioner(), shard: '1/3', root: base })
  const paths = (file) => readRows(file).map(({ path: name }) => name)
  assert.deepEqual(paths(at('b.csv')), paths(at('a.csv')).reverse())
})

test('the event, the run file, the row numbers of the table', async () => {
  const { input, at } = table(60)
  const events = []
  const options = { captioner: nullCaptioner(), shard: '2/4', onEvent: (event) => events.push(event) }
  const { rows } = await run(input, at('out-{shard}.csv'), options)
  assert.deepEqual(requireEvents(events), ['begun', 'shard', 'started', 'total', 'row', 'finished'])
  const output = at('out-2-of-4.csv')
  assert.deepEqual(events[1], { type: 'shard', index: 2, count: 4, from: null, rows, tableRows: 60, output })
  const indices = events.filter(({ type }) => type === 'row').map(({ index }) => index)
  assert.deepEqual(
    indices.toSorted((a, b) => a - b),
    readRows(output).map(({ id }) => Number(id))
  )
  const { settings, table: whole, rows: recorded } = readRun(output)
  assert.equal(settings.shard, '2/4')
  assert.deepEqual(
    { ...whole, digest: whole.digest.length },
    { rows: 60, digest: 64, file: input, format: 'csv', root: null }
  )
  assert.equal(recorded, rows)
  assert.ok((await run(input, output, { captioner: nullCaptioner(), shard: '2/4' })).already)
})

test('another shard of the same output is refused by its name, and so is the whole table', async () => {
  const { input, at } = table(20)
  const output = at('out.csv')
  await run(input, output, { captioner: nullCaptioner(), shard: '0/2' })
  const before = fs.readFileSync(output)
  const refused = (shard, message) =>
    assert.rejects(run(input, output, { captioner: nullCaptioner(), shard }), { code: 'run_differs', message })
  await refused('1/2', /shard was "0\/2" and is "1\/2".*\{shard\}/)
  await refused('0/3', /shard was "0\/2" and is "0\/3"/)
  await refused(undefined, /shard was "0\/2" and is not given/)
  assert.deepEqual(fs.readFileSync(output), before)
})

test('one shard of one is the whole table and its run', async () => {
  const { input, at } = table(20)
  const { rows } = await run(input, at('out.csv'), { captioner: nullCaptioner(), shard: '0/1' })
  assert.equal(rows, 20)
  assert.ok((await run(input, at('out.csv'), { captioner: nullCaptioner() })).already)
})

test('a shard without rows has an output with a header, and is finished', async () => {
  const { input, at } = table(1)
  const sizes = []
  for (const index of [0, 1, 2, 3]) {
    const output = at(`out-${index}.csv`)
    const { rows, failed } = await run(input, output, { captioner: nullCaptioner(), shard: `${index}/4` })
    sizes.push(rows)
    assert.equal(failed, 0)
    assert.match(fs.readFileSync(output, 'utf8'), /^path,id,text,num_frames,status,error,flags\n/)
    assert.equal(readRun(output).finished.summary.rows, rows, 'also with no record')
    assert.ok((await run(input, output, { captioner: nullCaptioner(), shard: `${index}/4` })).already)
  }
  assert.deepEqual(sizes.sort(), [0, 0, 0, 1])
})

const array = (id, count, least = 0, more = {}) => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_COUNT: String(count),
  SLURM_ARRAY_TASK_MIN: String(least),
  ...more
})
const task = (id, count, more = {}) => ({ SLURM_PROCID: String(id), SLURM_NTASKS: String(count), ...more })
const rank = (id, count) => ({ RANK: String(id), WORLD_SIZE: String(count) })
const pod = (id) => ({ JOB_COMPLETION_INDEX: String(id) })
const inStep = { SLURM_JOB_ID: '7', SLURM_STEP_ID: '0' }
const inBatch = { SLURM_JOB_ID: '7' }

for (const [what, env, shards, shard, from] of [
  ['nobody', {}, undefined, undefined],
  ['empty variables', { RANK: '', WORLD_SIZE: '4', SLURM_PROCID: '' }, undefined, undefined],
  ['an array', array(2, 7), undefined, '2/7', 'SLURM_ARRAY_TASK_ID'],
  ['an array from 1', array(7, 7, 1), undefined, '6/7', 'SLURM_ARRAY_TASK_ID'],
  ['an array in steps', array(20, 3, 10, { SLURM_ARRAY_TASK_STEP: '5', SLURM_ARRAY_TASK_MAX: '20' }), undefined, '2/3'],
  ['an array of one', array(4, 1, 4), undefined, '0/1'],
  ['some of an array again', array(5, 2, 3, { SLURM_ARRAY_TASK_MAX: '5' }), 7, '5/7'],
  ['an array whose total is not there', { SLURM_ARRAY_TASK_ID: '3' }, 4, '3/4'],
  ['tasks of srun', task(3, 4, inStep), undefined, '3/4', 'SLURM_PROCID'],
  ['tasks of srun, the first', task(0, 4), undefined, '0/4', 'SLURM_PROCID'],
  ['one task of srun', task(0, 1), undefined, undefined],
  ['a step with fewer tasks than its job', task(1, 8, { SLURM_STEP_NUM_TASKS: '2' }), undefined, '1/2'],
  ['srun in an array', { ...array(2, 3), ...task(1, 4, inStep) }, undefined, '9/12'],
  ['srun in an array, its first task', { ...array(2, 3), ...task(0, 4, inStep) }, undefined, '8/12'],
  ['srun in some of an array', { ...array(2, 1, 2), ...task(1, 4, inStep) }, 12, '9/12'],
  ['the batch script of an array', { ...array(2, 3), ...task(0, 4, inBatch) }, undefined, '2/3', 'SLURM_ARRAY_TASK_ID'],
  ['a pod', pod(3), 5, '3/5', 'JOB_COMPLETION_INDEX'],
  ['torchrun', rank(3, 5), undefined, '3/5', 'RANK'],
  ['torchrun with one process', rank(0, 1), undefined, undefined],
  ['torchrun in srun, which agree', { ...rank(3, 5), ...task(3, 5) }, undefined, '3/5', 'SLURM_PROCID'],
  ['all rows of one', {}, 1, undefined]
]) {
  test(`launchers: ${what}`, () => {
    const found = findLaunched(env, shards)
    assert.equal(found && `${found.shard.index}/${found.shard.count}`, shard)
    if (from) assert.equal(found.from, from)
  })
}

for (const [what, env, shards, message] of [
  [
    'an array without its total',
    { SLURM_ARRAY_TASK_ID: '3' },
    undefined,
    /SLURM_ARRAY_TASK_COUNT is not there: --shards n/
  ],
  ['a task without its total', { SLURM_PROCID: '3' }, undefined, /SLURM_PROCID is 3 and SLURM_NTASKS is not there/],
  ['a rank without its total', { RANK: '0' }, undefined, /WORLD_SIZE is not there: --shards n .* --no-shard/],
  [
    'a pod without its total',
    pod(0),
    undefined,
    /JOB_COMPLETION_INDEX is 0 and no variable says of how many: --shards n/
  ],
  ['a total alone', {}, 7, /--shards 7 says how many there are and nothing says which: --shard i\/n/],
  ['a sparse array', array(0, 3, 0, { SLURM_ARRAY_TASK_MAX: '7' }), undefined, /no range without gaps.*--array=0-2/],
  ['a sparse array without its end', array(7, 3), undefined, /is 7 of 3 from 0, which is no range/],
  ['ids below their least', array(1, 3, 2), undefined, /no range/],
  ['ids between the steps', array(11, 3, 10, { SLURM_ARRAY_TASK_STEP: '5' }), undefined, /no range/],
  ['an array from 1 with a total', array(1, 7, 1, { SLURM_ARRAY_TASK_MAX: '7' }), 7, /goes up to 7 .* --array=0-6/],
  ['an index that is too high', rank(5, 5), undefined, /RANK is 5 of 5, counted from 0/],
  ['a pod that is too high', pod(5), 5, /JOB_COMPLETION_INDEX is 5 of 5/],
  ['no number', rank('a', 5), undefined, /RANK is "a", which is no number/],
  ['a negative number', array(-1, 5), undefined, /SLURM_ARRAY_TASK_ID is "-1"/],
  ['a total that is none', rank(1, '1e3'), undefined, /WORLD_SIZE is "1e3"/],
  ['a total of 0', rank(0, 0), undefined, /RANK is 0 of 0/],
  ['two that disagree', { ...rank(3, 5), ...task(1, 5) }, undefined, /SLURM_PROCID says .* 1\/5, RANK shard 3\/5/],
  ['a total that disagrees', rank(3, 5), 6, /RANK says that this is shard 3\/5, --shards 6/],
  ['tasks that do not divide the total', { ...array(2, 3), ...task(1, 4, inStep) }, 10, /4 tasks in each .* is 10/]
]) {
  test(`launchers: ${what} is refused`, () => {
    assert.throws(() => findLaunched(env, shards), usage(message))
  })
}

test('launchers: what may not be meant is said', () => {
  assert.match(findLaunched(array(4, 1, 4), undefined).notes[0], /one task, which takes all rows.*--shards n/)
  assert.match(findLaunched(task(0, 4, inBatch), undefined).notes[0], /4 tasks and this is none of srun's.*--no-shard/)
  assert.deepEqual(findLaunched(task(0, 4, inStep), undefined).notes, [])
})

test('names: the place for it, or before the endings; as many digits each', () => {
  const shard = { index: 2, count: 16 }
  for (const [output, named] of [
    ['out.csv', 'out.shard-02-of-16.csv'],
    ['/a.b/out.csv.gz', '/a.b/out.shard-02-of-16.csv.gz'],
    ['my.data.jsonl.zst', 'my.data.shard-02-of-16.jsonl.zst'],
    ['captions', 'captions.shard-02-of-16'],
    ['.csv', '.csv.shard-02-of-16'],
    ['{shard}/out-{shard}.csv', '02-of-16/out-02-of-16.csv'],
    ['-', '-'],
    ['/dev/stdout', '/dev/stdout'],
    ['', ''],
    ['folder/', 'folder/']
  ]) {
    assert.equal(shardName(output, shard), named)
  }
  const numbers = (output, name) => shardPattern(output).exec(name)?.slice(1)
  assert.deepEqual(numbers('a/out.csv.gz', 'out.shard-02-of-16.csv.gz'), ['02', '16'])
  assert.deepEqual(numbers('o+{shard}.csv', 'o+2-of-7.csv'), ['2', '7'])
  for (const other of ['out.csv', 'out.shard-2-of-7.csv', 'xout.shard-2-of-7.csv.gz', 'out.shard-2-of-7.csv.gz.vcap']) {
    assert.equal(numbers('out.csv.gz', other), undefined)
  }
})

test('a shard that was asked for has the name that was given, one of a launcher a name of its own', () => {
  const choose = (options, output, env = rank(1, 4)) => chooseShard(options, output, env)
  assert.deepEqual(choose({ shard: '2/3' }, 'out.csv').output, 'out.csv')
  assert.deepEqual(choose({ shard: '2/3' }, 'out-{shard}.csv').output, 'out-2-of-3.csv')
  assert.deepEqual(choose({ shard: 'auto' }, 'out-{shard}.csv').output, 'out-1-of-4.csv')
  const { shard, from, output } = choose({ shard: 'auto' }, 'out.csv')
  assert.deepEqual([shard, from, output], [{ index: 1, count: 4 }, 'RANK', 'out.shard-1-of-4.csv'])
  assert.deepEqual(choose({}, 'out.csv'), { shard: undefined, from: null, output: 'out.csv', notes: [] })
  assert.deepEqual(choose({ shard: 'auto' }, 'out.csv', {}).shard, undefined)
  assert.throws(() => choose({}, 'out-{shard}.csv'), usage(/names a shard and this run has none/))
  assert.throws(() => choose({ shard: '2/3', shards: 4 }, 'out.csv'), usage(/one of 3, and --shards 4/))
})

test('the command heeds a launcher, --shard before it, --no-shard and the library none', async () => {
  const { input, at, folder } = table(30)
  const env = { SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '3', SLURM_ARRAY_TASK_MIN: '0' }
  const captions = (...more) =>
    cli(['run', input, at('out.csv'), '--model', 'demo', '--gpus', 'none', ...more], { env })
  const told = await captions()
  assert.equal(told.status, 3, told.stderr)
  const shard = readRows(at('out.shard-2-of-3.csv'))
  const line = `Shard 2 of 3 (SLURM_ARRAY_TASK_ID): ${shard.length} of 30 rows: ${at('out.shard-2-of-3.csv')}\n`
  assert.ok(told.stderr.startsWith(line), told.stderr)
  assert.match((await captions('--shard', '0/3')).stderr, /^Shard 0 of 3: \d+ of 30 rows: /)
  assert.ok(readRows(at('out.csv')).length < 30)
  await captions('--no-shard', '--restart')
  assert.equal(readRows(at('out.csv')).length, 30)
  assert.match((await captions('--shard', '3/3')).stderr, /Expected shard i\/n, counted from 0 to n - 1/)
  assert.match((await captions('--shards', '2')).stderr, /goes up to 2 and shards are counted from 0/)
  Object.assign(process.env, env)
  try {
    await run(input, path.join(folder, 'library.csv'), { captioner: nullCaptioner() })
    assert.equal(readRows(at('library.csv')).length, 30)
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
})
