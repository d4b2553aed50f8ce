/**
 * What the program sees of the system, simulated: node:fs below one folder is a disk in memory, timers and the time of
 * day run on a clock of their own, and everything that takes time ends in an order that a seed decides. Import it
 * before the program, which takes some functions of node:fs when it is loaded.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'

/** The folder that is simulated; no real one has this name. */
export const simulated = '/simulated'
const firstTime = Date.UTC(2026, 0, 1)

const real = { setTimeout, clearTimeout, setImmediate, now: Date.now }
/** The system that is in use; undefined while none is, and then everything is real. */
let system

export class SimulatedSystem {
  #events = []
  #sequence = 0
  /** Milliseconds. */
  clock = 0
  /** What the system says of this process: each start is another process. */
  process = { startTime: '1' }

  constructor(random) {
    this.random = random
  }

  now() {
    return firstTime + this.clock
  }

  /** Calls `work` after so many milliseconds. */
  later(delay, work) {
    const event = { at: this.clock + Math.max(delay, 0), sequence: this.#sequence++, work }
    this.#events.push(event)
    return event
  }

  drop(event) {
    const at = this.#events.indexOf(event)
    if (at >= 0) this.#events.splice(at, 1)
  }

  /**
   * Runs `work` to its end, or until `isOver`. Returns what it came to: `value`, `error`, or neither where it was over
   * before. Throws where it waits for nothing.
   */
  async run(work, isOver = () => false) {
    const listeners = process.listeners('exit')
    system = this
    try {
      const end = {}
      work().then(
        (value) => Object.assign(end, { settled: true, value }),
        (error) => Object.assign(end, { settled: true, error })
      )
      const last = this.clock + 3_600_000
      for (let idle = 0; ; ) {
        await new Promise(real.setImmediate) // all that can go on without waiting has gone on
        if (isOver()) return {}
        if (end.settled) return end
        const event = this.#first()
        if (event) {
          this.clock = Math.max(this.clock, event.at)
          event.work()
          idle = 0
        } else if (idle++ > 20) throw new Error('it waits for nothing')
        if (this.clock > last) throw new Error('it goes on for ever')
      }
    } finally {
      this.#events = []
      system = undefined
      // A process that is gone does nothing more at its end.
      for (const listener of process.listeners('exit'))
        if (!listeners.includes(listener)) process.removeListener('exit', listener)
    }
  }

  #first() {
    let first = 0
    for (let i = 1; i < this.#events.length; i++) {
      const [a, b] = [this.#events[i], this.#events[first]]
      if (a.at < b.at || (a.at === b.at && a.sequence < b.sequence)) first = i
    }
    return this.#events.splice(first, 1)[0]
  }
}

globalThis.setTimeout = Object.assign(
  (work, delay = 0, ...values) => {
    if (!system) return real.setTimeout(work, delay, ...values)
    const event = system.later(delay, () => work(...values))
    return Object.assign(event, { ref: () => event, unref: () => event })
  },
  { [promisify.custom]: real.setTimeout[promisify.custom] }
)
globalThis.clearTimeout = (timer) => (timer?.work ? system?.drop(timer) : real.clearTimeout(timer))
Date.now = () => (system ? Math.round(system.now()) : real.now())

const isOurs = (target) =>
  system !== undefined &&
  (typeof target === 'number'
    ? target >= 1 << 20
    : typeof target === 'string' && `${target}/`.startsWith(`${simulated}/`))

const names =
  `open close read write ftruncate fsync fdatasync fstat fchown fchmod stat lstat exists access mkdir mkdtemp
  readdir readFile writeFile rename unlink rmdir rm link utimes readlink realpath`.split(/\s+/)

for (const name of names) {
  const [sync, callback] = [fs[`${name}Sync`], fs[name]]
  fs[`${name}Sync`] = Object.assign(
    (...values) => (isOurs(values[0]) ? system.disk[name](...values) : sync(...values)),
    sync
  )
  if (name === 'exists') continue
  const called = (...values) => {
    if (!isOurs(values[0])) return callback(...values)
    const done = values.pop()
    slowly(name, values).then(
      (result) => done(null, result),
      (error) => done(error)
    )
  }
  Object.assign(called, callback)
  // As the system's own: an object where there are two results.
  const original = promisify(callback)
  called[promisify.custom] = async (...values) => {
    if (!isOurs(values[0])) return original(...values)
    const result = await slowly(name, values)
    return name === 'read' || name === 'write' ? inTwo(name, result, values[1]) : result
  }
  fs[name] = called
}

const open = fs.promises.open
fs.promises.open = async (...values) => {
  if (!isOurs(values[0])) return open(...values)
  const fd = await slowly('open', values)
  const on =
    (name) =>
    (...rest) =>
      slowly(name, [fd, ...rest])
  return {
    fd,
    read: async (...rest) => inTwo('read', await on('read')(...rest), rest[0]),
    write: async (...rest) => inTwo('write', await on('write')(...rest), rest[0]),
    truncate: on('ftruncate'),
    sync: on('fsync'),
    datasync: on('fdatasync'),
    stat: on('fstat'),
    close: on('close')
  }
}

function inTwo(name, count, buffer) {
  return { [name === 'read' ? 'bytesRead' : 'bytesWritten']: count, buffer }
}

/** A call that takes its time, in which others may come and go. It never returns to a process that is dead. */
function slowly(name, values) {
  const { disk, random } = system
  return new Promise((resolve, reject) => {
    system.later(random() * 5, () => {
      let result
      try {
        result = disk[name](...values)
      } catch (error) {
        if (!disk.dead) reject(error)
        return
      }
      resolve(result)
    })
  })
}

/** Which process this is: another one after each start. */
const readFileSync = fs.readFileSync
fs.readFileSync = (name, ...rest) => {
  if (system && name === '/proc/self/mountinfo') return ''
  if (!system || name !== `/proc/${process.pid}/stat`) return readFileSync(name, ...rest)
  return `1 (node) S ${'0 '.repeat(18)}${system.process.startTime} 0`
}
