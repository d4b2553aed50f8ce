/** `run` with a captioner that is there already: rows, order, counts and ends without a model. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { run } from '../../dist/index.js'
import { packageVersion } from '../../dist/package.js'
import { readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { nullCaptioner } from '../helpers/null-captioner.mjs'

const base = temporaryFolder()
let count = 0
/** A folder of its own with a table of `rows` in it. */
function table(rows) {
  const folder = path.join(base, String(count++))
  fs.mkdirSync(folder)
  const input = path.join(folder, 'in.csv')
  fs.writeFileSync(input, `path\n${Array.from({ length: rows }, (_, i) => `${i}.mp4\n`).join('')}`)
  return { folder, input, output: path.join(folder, 'out.csv'), names: () => fs.readdirSync(folder).sort() }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A captioner that answers with what `answer` says of a row's number. */
function captionerOf(answer, concurrency = 4) {
  const captioner = nullCaptioner(concurrency)
  const captionRow = async ({ path: file }, signal) => ({
    ...(await captioner.captionRow()),
    ...(await answer(Number(path.basename(file, '.mp4')), signal))
  })
  return { ...captioner, captionRow }
}

const engineError = (error = 'it broke') => ({ status: 'engine_error', text: '', numFrames: null, error, usage: null })

test('thousands of rows through a captioner that answers at once, out of order', async () => {
  const folder = temporaryFolder()
  const input = path.join(folder, 'in.csv')
  const output = path.join(folder, 'out.csv')
  fs.writeFileSync(
    input,
    `id,path,text\n${Array.from({ length: 3000 }, (_, i) => `${i},"clip ""${i}"".mp4",old\n`).join('')}`
  )
  const engine = nullCaptioner()
  let closed = false
  const captioner = {
    ...engine,
    captionRow: async (row) => {
      if (Math.random() < 0.01) await pause(2)
      assert.equal(row.text, 'old')
      return { ...(await engine.captionRow(row)), text: path.basename(row.path) }
    },
    close: async () => {
      closed = true
    }
  }
  let total
  const { rows, failed, statuses, tokens } = await run(input, output, {
    captioner,
    onEvent: (event) => {
      if (event.type === 'total') total = event.rows
    }
  })
  assert.deepEqual({ rows, failed, statuses }, { rows: 3000, failed: 0, statuses: { ok: 3000 } })
  assert.equal(tokens, 3000 * 24)
  assert.equal(total, 3000)
  assert.ok(!closed, 'who loads it closes it')
  const written = readRows(output)
  assert.deepEqual(
    written.map(({ id }) => Number(id)),
    Array.from({ length: 3000 }, (_, i) => i)
  )
  assert.ok(written.every(({ id, path: name, text }) => name === `clip "${id}".mp4` && text === name))
})

test('events: begun first, started with what the captioner says of itself, each row once, finished last', async () => {
  const { input, output } = table(20)
  const captioner = captionerOf(async (i) => {
    await pause((i * 7) % 5)
    return i === 3 ? { status: 'missing', text: '', numFrames: null, error: 'No such file', usage: null } : {}
  })
  captioner.info.warnings = ['mind the gap', 'and the other']
  const events = []
  const summary = await run(input, output, { captioner, onEvent: (event) => events.push(event) })
  assert.deepEqual(events.slice(0, 4), [
    { type: 'begun', version: 1, package: packageVersion, input, output },
    { type: 'started', input, output: fs.realpathSync(output), captioner: captioner.info },
    { type: 'warning', message: 'mind the gap' },
    { type: 'warning', message: 'and the other' }
  ])
  const rows = events.filter(({ type }) => type === 'row').sort((a, b) => a.index - b.index)
  assert.deepEqual(
    rows.map(({ index, path: name }) => [index, name]),
    Array.from({ length: 20 }, (_, i) => [i, `${i}.mp4`])
  )
  assert.deepEqual(Object.keys(rows[0]), ['type', 'index', 'path', 'status', 'text', 'numFrames', 'error', 'usage'])
  assert.deepEqual(rows[3], {
    type: 'row',
    index: 3,
    path: '3.mp4',
    status: 'missing',
    text: '',
    numFrames: null,
    error: 'No such file',
    usage: null
  })
  assert.deepEqual(events.at(-1), { type: 'finished', ...summary })
  assert.deepEqual([summary.rows, summary.failed, summary.statuses], [20, 1, { ok: 19, missing: 1 }])
})

test('no more rows at once than the window, and it is used', async () => {
  const { input, output } = table(300)
  let inside = 0
  let most = 0
  const captioner = captionerOf(async () => {
    most = Math.max(most, ++inside)
    await pause(1)
    inside--
    return {}
  })
  captioner.info.window = 7
  await run(input, output, { captioner })
  assert.deepEqual([most, inside], [7, 0])
})

test('an abort ends the run: the captioner hears of it, the output stays, and the captioner stays open', async () => {
  const { input, output, names } = table(1000)
  fs.writeFileSync(output, 'before\n')
  const controller = new AbortController()
  const warnings = []
  const onWarning = ({ name }) => warnings.push(name)
  process.on('warning', onWarning)
  let heard = 0
  let waiting = 0
  const captioner = captionerOf((i, signal) => {
    if (i < 10) return {}
    waiting++
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        heard++
        reject(signal.reason)
      })
    )
  })
  const running = run(input, output, { captioner, signal: controller.signal, grace: 0 })
  while (waiting <= 10) await pause(5)
  const reason = new Error('of the user')
  controller.abort(reason)
  await assert.rejects(running, { name: 'VcapError', code: 'aborted', cause: reason })
  process.off('warning', onWarning)
  assert.ok(heard > 10)
  assert.deepEqual(warnings, [], 'each row may listen for the abort')
  assert.deepEqual(names(), ['in.csv', 'out.csv', 'out.csv.vcap'])
  assert.equal(fs.readFileSync(output, 'utf8'), 'before\n')
  const { rows } = await run(table(1).input, output, { captioner })
  assert.equal(rows, 1)
})

test('an abort takes back the rows that the captioner has not begun, and lets the others finish', async () => {
  const { input, output } = table(500)
  const controller = new AbortController()
  const { info, captionRow, close } = nullCaptioner(2)
  const asked = []
  const begun = []
  let underWay = 0
  // Two at once; the others wait for their turn, and listen to `recall`.
  const turn = async (recall) => {
    while (underWay === 2) {
      recall.throwIfAborted()
      await pause(1)
    }
    underWay++
  }
  const captioner = {
    info,
    close,
    captionRow: async ({ path: file }, signal, recall) => {
      asked.push(file)
      await turn(recall)
      begun.push(file)
      if (begun.length === 11) controller.abort()
      await pause(30)
      underWay--
      assert.ok(!signal.aborted)
      return captionRow()
    }
  }
  const events = []
  const onEvent = (event) => events.push(event)
  const reason = controller.signal
  await assert.rejects(run(input, output, { captioner, signal: reason, grace: 30, onEvent }), { code: 'aborted' })
  const done = events.filter(({ type }) => type === 'row').length
  assert.ok(begun.length <= 12, `${begun.length} begun`)
  assert.equal(done, begun.length, 'each that was begun was kept')
  assert.ok(asked.length > begun.length + 2, 'others waited in the captioner')
  assert.deepEqual(events.slice(-1), [{ type: 'stopped', code: 'aborted', message: 'This operation was aborted' }])
  assert.equal(events.filter(({ type }) => type === 'stopping').length, 1)
  const { captioned } = await run(input, output, { captioner: nullCaptioner() })
  assert.equal(captioned, 500 - done)
})

test('an abort while the done rows are counted, or the output is made: nothing is left of it', async () => {
  const { input, output, names } = table(300)
  fs.writeFileSync(input, fs.readFileSync(input, 'utf8').replaceAll('\n', ',x\n').replace('path,x', 'path,status'))
  const asked = nullCaptioner()
  const stop = async (when, captioner) => {
    const controller = new AbortController()
    const options = when(captioner, () => controller.abort(new Error('of the user')))
    await assert.rejects(run(input, output, { ...options, signal: controller.signal }), { code: 'aborted' })
    assert.deepEqual(names(), ['in.csv', 'out.csv.vcap'])
    assert.deepEqual(fs.readdirSync(`${output}.vcap`).sort(), ['rows.log', 'run.json'])
  }
  // The engines' time is asked for after the last row, before the output is begun.
  let times = 0
  const onSecond = (abort) => async () => void (times++ && abort())
  await stop((captioner, abort) => ({ captioner: { ...captioner, engineTime: onSecond(abort) } }), asked)
  assert.equal(times, 2)
  const never = { ...asked, captionRow: () => assert.fail('asked again') }
  // A column that will be replaced is warned of before the rows are counted.
  const onWarning = (abort) => (event) => event.type === 'warning' && abort()
  await stop((captioner, abort) => ({ captioner, onEvent: onWarning(abort) }), never)
  const { rows, captioned } = await run(input, output, { captioner: never })
  assert.deepEqual([rows, captioned], [300, 0])
})

test("the share of its engines' time that a run used; a captioner may leave it out", async () => {
  const { input, output } = table(30)
  const time = { engines: 2, busy: 100, filled: 50 }
  const captioner = captionerOf(async () => {
    await pause(10)
    time.busy += 0.0002
    time.filled += 0.00005
    return {}
  })
  const seen = await run(input, output, { captioner: { ...captioner, engineTime: async () => ({ ...time }) } })
  assert.deepEqual([seen.tokens, seen.tokensMade], [30 * 24, 30 * 24])
  assert.ok(Math.abs(seen.engineShare - (30 * 0.0002) / (2 * seen.captioningSeconds)) < 1e-9, seen.engineShare)
  assert.ok(Math.abs(seen.filledShare - 0.25) < 1e-9, seen.filledShare)
  const again = await run(input, output, { captioner, restart: true })
  assert.deepEqual([again.engineShare, again.filledShare], [null, null])
  const broken = { ...captioner, engineTime: () => Promise.reject(new Error('gone')) }
  assert.equal((await run(input, output, { captioner: broken, restart: true })).engineShare, null)
  const wrong = { ...captioner, engineTime: async () => ({ engines: 0 }) }
  await assert.rejects(run(input, output, { captioner: wrong, restart: true }), {
    code: 'usage',
    message: /did not answer engineTime with an EngineTime: engines is wrong/
  })
})

test('a signal aborted before: nothing is captioned', async () => {
  const { input, output, names } = table(3)
  let asked = 0
  const captioner = captionerOf(() => {
    asked++
    return {}
  })
  await assert.rejects(run(input, output, { captioner, signal: AbortSignal.abort() }), { code: 'aborted' })
  assert.deepEqual([asked, names()], [0, ['in.csv']])
})

test('the engine is lost: the run ends with engine_lost and makes no output', async () => {
  const { input, output, names } = table(1000)
  let asked = 0
  const captioner = captionerOf((i) => {
    asked++
    return i < 20 ? {} : engineError(`row ${i}`)
  }, 2)
  await assert.rejects(run(input, output, { captioner }), {
    code: 'engine_lost',
    message: /^The engine fails on every row: row \d+$/
  })
  assert.ok(asked < 100, `${asked} asked`)
  assert.deepEqual(names(), ['in.csv', 'out.csv.vcap'])
})

test('what ends the run ends it now, and with its own error, though the first row waits for ever', async () => {
  const { input, output, names } = table(20)
  const captioner = captionerOf((i, signal) => {
    if (i === 3) throw new Error('of row 3')
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await assert.rejects(run(input, output, { captioner }), { message: 'of row 3' })
  assert.deepEqual(names(), ['in.csv'])
})

test('rows that fail in the engine now and then cost themselves alone', async () => {
  const { input, output } = table(100)
  const captioner = captionerOf((i) => (i % 3 === 0 ? {} : engineError()), 2)
  const { failed, statuses } = await run(input, output, { captioner })
  assert.deepEqual([failed, statuses], [66, { ok: 34, engine_error: 66 }])
  const rows = readRows(output)
  assert.deepEqual([rows[1].status, rows[1].text, rows[1].error], ['engine_error', '', 'it broke'])
})

test('the input breaks off: csv_invalid, and nothing is left', async () => {
  const { input, output, names } = table(500)
  fs.appendFileSync(input, '"unclosed\n')
  await assert.rejects(run(input, output, { captioner: nullCaptioner() }), { code: 'csv_invalid' })
  assert.deepEqual(names(), ['in.csv'])
})

test('the output is the input, or its folder is not there: refused before anything is captioned', async () => {
  const { input, folder, names } = table(2)
  const captioner = captionerOf(() => assert.fail('asked'))
  await assert.rejects(run(input, input, { captioner }), {
    code: 'usage',
    message: /is the input .*: name another file$/
  })
  await assert.rejects(run(input, path.join(folder, 'no', 'out.csv'), { captioner }), { code: 'output_unwritable' })
  await assert.rejects(run(path.join(folder, 'none.csv'), input, { captioner }), {
    code: 'usage',
    message: /not found$/
  })
  assert.deepEqual(names(), ['in.csv'])
})

test('onEvent that throws ends the run with its error and makes no output', async () => {
  const { input, output, names } = table(50)
  const onEvent = ({ type, index }) => {
    if (type === 'row' && index === 20) throw new Error('of the listener')
  }
  await assert.rejects(run(input, output, { captioner: nullCaptioner(), onEvent }), { message: 'of the listener' })
  assert.deepEqual(names(), ['in.csv', 'out.csv.vcap'])
})
