/**
 * What the coordinator costs: `run` over CSVs of growing length with a captioner that answers at once, and to each row
 * another caption: where one stands on every thousandth file, the output is written twice.
 *
 *   npm run bench:rows -- [--rows 1000,10000,100000,1000000] [--rounds 3] [--format csv|jsonl|parquet|…] [--json FILE]
 *
 * Reported are the rows a second and the largest resident memory, each length in a process of its own, then the seconds
 * in which its journal is opened again and its status is read. V8 enlarges its heap while the first rows pass, so
 * shorter tables run again and again until 400,000 have passed. Exit code 1 where the longest table runs below 20,000
 * rows/s, takes over 20 MB more than the one of 10,000 rows, is opened in 5 s or more, or its status in 2 s or more;
 * with a format other than CSV, where it takes 400 MB or more.
 */
import { fork } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { run } from '../dist/index.js'
import { openSink } from '../dist/rows/table.js'
import { Journal } from '../dist/run/journal.js'
import { readRunFile } from '../dist/run/run-file.js'
import { readStatus } from '../dist/run/status.js'
import { warnIfBusy } from './machine.mjs'
import { nullCaptioner } from '../test/helpers/null-captioner.mjs'
import { median } from './rounds.mjs'

const warmRows = 400_000
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000,10000,100000,1000000' },
    rounds: { type: 'string', default: '3' },
    format: { type: 'string', default: 'csv' },
    json: { type: 'string' },
    one: { type: 'string' }
  }
})

if (values.one) await measure(values.one)
else await compare()

/** Runs in the child process: reports the rows a second of the last run, the largest memory of all, and its journal. */
async function measure(input) {
  let rss = 0
  const look = () => {
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 50)
  const captioner = nullCaptioner()
  const same = await captioner.captionRow()
  captioner.captionRow = async ({ path }) => ({ ...same, text: `${same.text} It is ${path.slice(-16)}.` })
  let summary
  for (let passed = 0; passed < warmRows; passed += summary.rows) {
    summary = await run(input, `${input}.out`, { captioner, restart: true, format: values.format })
  }
  clearInterval(timer)
  look()
  const opening = await secondsOf(() => openAgain(`${input}.out.vcap`, summary.rows))
  const status = await secondsOf(() => readStatus(`${input}.out`))
  process.send({ rows: summary.rows, seconds: summary.seconds, rss, opening, status })
}

async function openAgain(folder, rows) {
  const { settings } = readRunFile(folder)
  const options = { settings, rows, restart: false, usesText: true, onLost: () => undefined }
  const journal = await Journal.open({ folder, isTemporary: false }, options)
  await journal.close()
  if (journal.scan.records < rows) throw new Error(`${folder} has ${journal.scan.records} of ${rows} records`)
}

async function secondsOf(work) {
  const begin = performance.now()
  await work()
  return (performance.now() - begin) / 1000
}

async function compare() {
  warnIfBusy()
  const counts = values.rows.split(',').map(Number)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-rows-'))
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
  const results = counts.map((rows) => ({ rows, rounds: [] }))
  for (const { rows } of results) await writeTable(path.join(folder, `${rows}.${values.format}`), rows)
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const result of results)
      result.rounds.push(await inChild(path.join(folder, `${result.rows}.${values.format}`)))
  }
  const table = new Table({
    head: ['rows', 'rows/s', 'memory', 'opened', 'status'],
    style: { head: [], border: [] },
    colAligns: Array(5).fill('right')
  })
  for (const result of results) {
    result.rowsPerSecond = median(result.rounds.map(({ rows, seconds }) => rows / seconds))
    result.megabytes = median(result.rounds.map(({ rss }) => rss / 1e6))
    for (const step of ['opening', 'status']) result[step] = median(result.rounds.map((round) => round[step]))
    const seconds = [result.opening, result.status].map((value) => `${value.toFixed(2)} s`)
    table.push([result.rows, Math.round(result.rowsPerSecond), `${result.megabytes.toFixed(0)} MB`, ...seconds])
  }
  console.log(table.toString())
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
  const longest = results.at(-1)
  const base = results.find(({ rows }) => rows === 10_000)
  const grown = base ? longest.megabytes - base.megabytes : 0
  const isQuick = longest.rowsPerSecond >= 20_000 && longest.opening < 5 && longest.status < 2
  const isGood = values.format === 'csv' ? isQuick && grown <= 20 : longest.megabytes < 400
  process.exitCode = isGood ? 0 : 1
}

/** Writes rows like those of a dataset: a path, an id, and an old caption whose text must be quoted in CSV. */
async function writeTable(file, rows) {
  if (values.format !== 'csv') return writeFormat(file, rows)
  const stream = createWriteStream(file)
  stream.write('path,id,text\n')
  for (let first = 0; first < rows; first += 1000) {
    let block = ''
    for (let i = first; i < Math.min(rows, first + 1000); i++)
      block += `clips/${i % 977}/clip-${i}.mp4,${i},"a text, as it came with clip ${i}"\n`
    if (!stream.write(block)) await once(stream, 'drain')
  }
  stream.end()
  await once(stream, 'finish')
}

async function writeFormat(file, rows) {
  const sink = openSink(file, ['path', 'id', 'text'])
  sink.begin(path.dirname(file))
  for (let i = 0; i < rows; i++)
    await sink.write([`clips/${i % 977}/clip-${i}.mp4`, i, `a text, as it came with clip ${i}`])
  await sink.commit()
}

async function inChild(input) {
  const child = fork(fileURLToPath(import.meta.url), ['--one', input, '--format', values.format])
  let result
  child.on('message', (message) => {
    result = message
  })
  const [status] = await once(child, 'exit')
  if (!result) throw new Error(`The process for ${input} ended with status ${status}`)
  return result
}
