/** Processes by /proc (Linux). */
import fs from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const read = (file) => {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return '' // it has ended meanwhile
  }
}

/** State and parent of a process; undefined where it is gone, or has ended and nobody has asked how. */
function look(pid) {
  // The name, in parentheses, may have blanks.
  const [state, parent] = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')
  return !state || state === 'Z' ? undefined : Number(parent)
}

const all = () =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

/** The processes below one, at whatever depth. */
export function descendants(pid) {
  const parents = new Map(all().map((each) => [each, look(each)]))
  const found = [pid]
  for (const each of found) found.push(...[...parents].filter(([, parent]) => parent === each).map(([child]) => child))
  return found.slice(1)
}

export const isThere = (pid) => look(pid) !== undefined

/** Milliseconds until all are gone; throws after `most`. */
export async function gone(pids, most = 5000) {
  const started = Date.now()
  while (true) {
    const left = pids.filter(isThere)
    if (left.length === 0) return Date.now() - started
    if (Date.now() - started > most) {
      throw new Error(`still there: ${left.map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`)}`).join('; ')}`)
    }
    await pause(25)
  }
}
