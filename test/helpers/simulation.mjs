/**
 * Whole runs on a simulated system, all by one seed: a table that is edited between runs, a captioner whose caption
 * names the clip, and at seeded moments kills, power cuts, calls of the file system that fail, engines that fail, are
 * lost or throw, and signals. In the end the run is brought to its end on a healthy system, and all that a run promises
 * is held against what the captioner was asked and what was told.
 */
import path from 'node:path'
import { parse } from 'csv-parse/sync'
import { simulated, SimulatedSystem } from './simulated-system.mjs'
import { SimulatedDisk } from './simulated-disk.mjs'
import { randomOf } from './random.mjs'
import { run, VcapError } from '../../dist/index.js'

const input = path.join(simulated, 'in.csv')
const output = path.join(simulated, 'out.csv')
const temporary = path.join(simulated, 'tmp')

/** Errors in which a disturbed run may end. `internal` is none of them, nor is an error that is no VcapError. */
const ends = ['write_failed', 'read_failed', 'engine_lost', 'engine_error', 'too_many_failures', 'aborted']
const faultCodes = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS']
const taking = ['open', 'write', 'mkdir', 'rename', 'fsync', 'link']
export const changing = [...taking, 'unlink', 'rmdir', 'truncate', 'chmod', 'utimes', 'access for writing']
/** Calls that a fault may hit. */
export const hits = {
  EIO: (kind) => kind !== 'realpath',
  ENOSPC: (kind) => taking.includes(kind),
  EDQUOT: (kind) => taking.includes(kind),
  EROFS: (kind) => changing.includes(kind)
}

/** What clips are there, of which tables are made. */
function clipsOf(random) {
  const odd = ['é', 'a"b', 'a,b', '日本', 'long'.repeat(40), ' space']
  return Array.from({ length: 2 + random.below(14) }, (_, i) => ({
    path: `clips/${i}${random.chance(0.15) ? random.pick(odd) : ''}.mp4`,
    text: random.chance(0.3) ? random.pick(['one', 'two, and', 'three\nlines', '']) : '',
    isBroken: random.chance(0.1),
    /** Of several captions, one never fits. */
    isHalf: random.chance(0.2)
  }))
}

const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
const tableOf = (rows) => `path,text,n\n${rows.map((row, i) => `${cell(row.path)},${cell(row.text)},${i}\n`).join('')}`
const nameOf = ({ path: file, text }, usesText) => (usesText ? `${file}\0${text}` : file)

function captionOf(name, isLong) {
  const text = `It is "${name.replace('\0', ' / ')}",\nand nothing else.${isLong ? ' And on.'.repeat(6000) : ''}`
  return { status: 'ok', text, numFrames: 3, error: null, usage: { imageTokens: 5, promptTokens: 9, tokens: 4 } }
}

/** The same as one of two captions, or what is asked for of them. */
function captionsOf(name, isLong, isHalf, asked = ['text', 'tags']) {
  const { numFrames, ...text } = captionOf(name, isLong)
  const overflow = { status: 'context_overflow', text: '', error: 'It does not fit', usage: null }
  const tags = isHalf ? overflow : { ...text, text: `tags of ${name.length}` }
  const captions = Object.fromEntries(asked.map((each) => [each, each === 'text' ? text : tags]))
  return { ...captionOf(name), text: '', numFrames, captions }
}

/** One world: a system, a table, and what was told of its rows. */
export class World {
  /** Occurrences of rows that were told as done, as `name#occurrence`, with their status. */
  told = new Map()
  /** Contents that the table has had. */
  tables = []
  /** What happened, for the report of a failure. */
  log = []
  judge = () => undefined
  starts = 0

  constructor(random, { forgets } = {}) {
    this.random = random
    this.system = new SimulatedSystem(random)
    this.disk = new SimulatedDisk({
      random,
      forgets,
      now: () => this.system.now(),
      judge: (kind, name) => this.judge(kind, name)
    })
    this.system.disk = this.disk
    this.disk.mkdir(simulated)
    this.disk.mkdir(temporary)
    this.clips = clipsOf(random)
    this.usesText = random.chance(0.5)
    this.hasSeveral = random.chance(0.3)
    this.concurrency = 1 + random.below(4)
    this.longShare = random.chance(0.1) ? 0.3 : 0
    this.rows = []
    this.edit(1)
    /** A file with two names stays one, and is filled: it is no more whole at each moment. */
    this.isFilled = random.chance(0.1)
    if (this.isFilled) {
      this.disk.writeFile(output, 'before')
      this.disk.link(output, path.join(simulated, 'other-name.csv'))
    }
    this.disk.sync()
  }

  /** Rows are added, removed, doubled and put into another order. */
  edit(share) {
    const { random, clips } = this
    const kept = this.rows.filter(() => random.chance(0.85))
    const added = clips.filter(() => random.chance(0.3 + share / 2))
    const doubled = kept.filter(() => random.chance(0.1))
    this.rows = [...kept, ...added, ...doubled]
    if (this.rows.length === 0) this.rows = [clips[0]]
    if (random.chance(0.7)) random.shuffle(this.rows)
    this.tables.push(this.rows)
    this.system.clock += 5000
    this.disk.writeFile(input, tableOf(this.rows))
    this.disk.sync()
  }

  /** Names of the rows with their occurrences, in the table's order. */
  occurrences() {
    const counts = new Map()
    return this.rows.map((row) => {
      const name = nameOf(row, this.usesText)
      const before = counts.get(name) ?? 0
      counts.set(name, before + 1)
      return `${name}#${before}`
    })
  }

  /**
   * One start of the program. `trouble.engine(asked)` is asked before each caption and may answer with one, or throw.
   * Returns how it ended: an error, a summary, or neither where it was killed.
   */
  async start({ options = {}, engine = () => undefined, judge = () => undefined, signalAt = Infinity }) {
    const { random, system, disk } = this
    system.process = { startTime: String(1000 + ++this.starts) }
    const occurrences = this.occurrences()
    if (options.restart) this.told.clear()
    const asked = new Map()
    const mayAsk = new Map()
    for (const occurrence of occurrences) {
      const name = occurrence.slice(0, occurrence.lastIndexOf('#'))
      const status = this.told.get(occurrence)
      const isAgain = status !== undefined && status !== 'ok' && (options.retryFailed || status === 'engine_error')
      if (status === undefined || isAgain) mayAsk.set(name, (mayAsk.get(name) ?? 0) + 1)
    }
    let count = 0
    const abort = new AbortController()
    const wait = (delay) => new Promise((resolve) => system.later(delay, resolve))
    const captioner = {
      info: {
        name: 'naming',
        summary: 'captions by name',
        digest: 'naming',
        settings: { model: 'naming' },
        usesText: this.usesText,
        ...(this.hasSeveral && { captions: ['text', 'tags'] }),
        warnings: [],
        window: this.concurrency + random.below(4),
        concurrency: this.concurrency
      },
      captionRow: async ({ path: file, text, captions }, signal) => {
        const clip = { path: path.relative(simulated, file), text: text ?? '' }
        const name = nameOf(clip, this.usesText)
        asked.set(name, (asked.get(name) ?? 0) + 1)
        this.check(
          asked.get(name) <= (mayAsk.get(name) ?? 0),
          `${JSON.stringify(name)} was captioned again after it was told as done`
        )
        if (++count >= signalAt) abort.abort(new Error('SIGTERM'))
        await wait(random() * 300)
        if (signal?.aborted) throw new DOMException('dropped', 'AbortError')
        const { isBroken, isHalf } = this.clips.find((other) => other.path === clip.path) ?? {}
        if (isBroken) return { status: 'unreadable', text: '', numFrames: null, error: 'It is broken', usage: null }
        const other = engine(count)
        if (other) return other
        this.check(!captions || (isHalf && captions.join() === 'tags'), `${name} was asked for ${captions} again`)
        const isLong = this.longShare > 0 && name.length % 3 === 0
        return this.hasSeveral ? captionsOf(name, isLong, isHalf, captions) : captionOf(name, isLong)
      },
      close: async () => undefined
    }
    const onEvent = (event) => {
      if (disk.dead) return
      if (event.type === 'row') this.told.set(occurrences[event.index], event.status)
    }
    this.judge = judge
    const before = process.env.TMPDIR
    process.env.TMPDIR = temporary
    try {
      const end = await system.run(
        () => run(input, output, { captioner, onEvent, signal: abort.signal, grace: 0.2, ...options }),
        () => disk.dead
      )
      return { ...end, asked: [...asked.values()].reduce((sum, n) => sum + n, 0) }
    } finally {
      this.judge = () => undefined
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
    }
  }

  check(isRight, what) {
    if (!isRight) this.fault ??= new Error(what)
  }

  /** What an output holds is of one table, whole, and each caption stands on its own clip. */
  requireWhole(when) {
    const exists = this.disk.exists(output)
    if (!exists || this.isFilled) return
    const rows = parse(this.disk.readFile(output, 'utf8'), { columns: true })
    for (const row of rows) {
      const own = captionOf(nameOf({ path: row.path, text: this.inputText(row) }, this.usesText)).text
      const isOwn = statusOf(row) === 'ok' ? row.text.startsWith(own) : row.text === ''
      this.check(!row.tags || row.tags_status === 'ok', `${when}: ${row.path} has tags, and ${row.tags_status}`)
      this.check(isOwn, `${when}: ${row.path} has the caption ${JSON.stringify(row.text)}`)
    }
    const isOf = (table) => table.length === rows.length && table.every((row, i) => row.path === rows[i].path)
    this.check(this.tables.some(isOf), `${when}: the output is of no table: ${rows.length} rows`)
  }

  /** The output's own column `text` takes the place of the input's, so that `n` says which row it was. */
  inputText(row) {
    for (const table of this.tables)
      if (table[row.n]?.path === row.path && nameMatches(table[row.n], row)) return table[row.n].text
    return ''
  }
}

/** Of the caption in the column text. */
const statusOf = ({ status, text_status = status }) => text_status

function nameMatches(row, { text, ...other }) {
  return statusOf(other) !== 'ok' || text.startsWith(`It is "${row.path} / ${row.text}"`) || !text.includes(' / ')
}

/** What is to happen in one start. */
function troubleOf(random) {
  const kind = random.pick(['kill', 'power', 'fault', 'fault', 'throw', 'lost', 'some', 'signal', 'nothing'])
  const options = random.chance(0.25) ? { retryFailed: ['all'] } : {}
  if (random.chance(0.05)) options.restart = true
  const at = 1 + Math.floor(random() ** 1.5 * random.pick([40, 120, 250]))
  const k = 1 + random.below(12)
  const failed = { status: 'engine_error', text: '', numFrames: null, error: 'The engine fails', usage: null }
  let calls = 0
  switch (kind) {
    case 'kill':
    case 'power':
      return { kind, at, options, judge: () => (++calls === at ? 'crash' : undefined) }
    case 'fault': {
      const code = random.pick(faultCodes)
      const isOnce = random.chance(0.4)
      const healing = at + random.below(60)
      const isHit = (n) => (isOnce ? n === at : n >= at && n < healing)
      const judge = (call) => (hits[code](call) && isHit(++calls) ? code : undefined)
      return { kind, code, isOnce, at, options, judge }
    }
    case 'throw': {
      const engine = (n) => {
        if (n === k) throw new VcapError(random.pick(['engine_lost', 'read_failed']), 'It went away')
      }
      return { kind, k, options, engine }
    }
    case 'lost':
      return { kind, k, options, engine: (n) => (n >= k ? failed : undefined) }
    case 'some':
      return { kind, options, engine: () => (random.chance(0.15) ? failed : undefined) }
    case 'signal':
      return { kind, k, options, signalAt: k }
    default:
      return { kind, options }
  }
}

/** Throws what is not as promised. `forgets`: of which paths the disk ignores that they are synced. */
export async function simulate(seed, { forgets } = {}) {
  const random = randomOf(seed)
  const world = new World(random, { forgets })
  try {
    await disturb(world)
    await finish(world)
  } catch (error) {
    error.message = `seed ${seed}: ${error.message}\n${world.log.map((line) => `  ${line}`).join('\n')}`
    throw error
  }
  return world
}

async function disturb(world) {
  const { random, system } = world
  for (let rounds = 1 + random.below(5); rounds > 0; rounds--) {
    if (random.chance(0.3)) world.edit(0)
    const trouble = troubleOf(random)
    const end = await world.start(trouble)
    const { kind, at, code, isOnce, k, options } = trouble
    const how = end.error ? `${end.error.code}: ${end.error.message}` : end.settled ? 'finished' : 'dead'
    world.log.push(`${world.rows.length} rows, ${JSON.stringify({ kind, at, code, isOnce, k, ...options })}: ${how}`)
    if (end.error) requireEnd(world, end.error, trouble)
    const isOff = kind === 'power' || random.chance(0.2)
    restart(world, isOff)
    if (random.chance(0.1)) system.clock -= 3_000_000 // somebody sets the clock
    world.requireWhole(isOff ? 'after a power cut' : 'after it ended')
    if (world.fault) throw world.fault
  }
}

/** The next process, on a machine that had no power meanwhile or on the same. */
export function restart({ disk, system, log }, power) {
  disk.restart({ power })
  system.clock += 1000
  if (power) log.push('power cut')
}

/** What a run may end in that a fault of the system has stopped. */
export function requireEnd(world, error, { kind, code }) {
  world.check(error instanceof VcapError && ends.includes(error.code), `it ended in ${error.stack}`)
  if (kind === 'fault' && error.message.includes(code))
    world.check(error.message.includes(simulated), `no file is named: ${error.message}`)
}

/** Throws what is not as promised: on a healthy system the command comes to the end that an undisturbed run has. */
export async function finish(world) {
  const { disk } = world
  const last = await world.start({ options: { retryFailed: ['all'] } })
  if (last.error) throw last.error
  world.requireWhole('at the end')
  const made = disk.readFile(output, 'utf8')
  const expected = await undisturbed(world)
  world.check(made === expected, `the output differs from an undisturbed run's:\n${made}\nexpected:\n${expected}`)
  requireTidy(world)
  restart(world, true)
  world.check(
    disk.exists(output) && disk.readFile(output, 'utf8') === made,
    'a power cut after the end took the output'
  )
  const again = await world.start({})
  if (again.error) throw again.error
  world.check(again.asked === 0, `a finished run captioned ${again.asked} rows again after a power cut`)
  world.check(disk.readFile(output, 'utf8') === made, 'a finished run made another output after a power cut')
  requireTidy(world)
  if (world.fault) throw world.fault
}

function requireTidy({ disk, isFilled }) {
  // Where the folder could not be written when the run was begun, its journal is among temporary files.
  const elsewhere = disk.readdir(temporary)[0]
  const journal = disk.exists(`${output}.vcap`) ? `${output}.vcap` : path.join(temporary, elsewhere ?? 'nothing')
  const left = [simulated, temporary, journal].flatMap((folder) =>
    disk.readdir(folder).map((name) => path.join(folder, name))
  )
  const log = [journal, path.join(journal, 'rows.log'), path.join(journal, 'run.json')]
  const own = [input, output, temporary, ...log]
  const more = left.filter((name) => !own.includes(name) && !(isFilled && name.endsWith('other-name.csv')))
  if (more.length > 0) throw new Error(`left over: ${more.join(', ')}`)
}

async function undisturbed({ random, rows, clips, usesText, longShare, hasSeveral }) {
  const world = new World(randomOf(random.below(2 ** 31)))
  Object.assign(world, { rows, clips, usesText, longShare, hasSeveral, tables: [rows], isFilled: false })
  world.disk.writeFile(input, tableOf(rows))
  const { error } = await world.start({})
  if (error) throw error
  return world.disk.readFile(output, 'utf8')
}
