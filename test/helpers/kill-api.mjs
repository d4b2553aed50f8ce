/** Runs of `gpt4` that are killed, and go on: the server counts what it is asked. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { apiServer } from './api-server.mjs'
import { main, readRows } from './cli.mjs'

/**
 * Kills the command's whole process group when the server has been asked so many times more, `kills` times in all, and
 * lets it go on each time. No row may be asked for again that had a record when the command was killed. Returns how
 * many answers were lost on their way.
 */
export async function killApi({ csv, output, kills, random, perKill = 3 }) {
  let left = Infinity
  let kill = () => undefined
  const server = await apiServer({
    behave: async () => {
      if (--left === 0) kill()
      await pause(5 + random() * 30)
    }
  })
  const counts = () => new Map(server.log.captioned)
  try {
    for (let killed = 0; killed < kills; ) {
      left = 1 + Math.floor(random() * perKill)
      const before = counts()
      const done = committed(output)
      if (await gpt4(csv, output, server, (how) => (kill = how))) killed++
      else fs.rmSync(`${output}.vcap`, { recursive: true, force: true })
      for (const subject of done)
        assert.equal(counts().get(subject), before.get(subject), 'asked again after its record')
      if (fs.existsSync(output)) fs.rmSync(output)
    }
    left = Infinity
    const before = counts()
    const done = committed(output)
    await gpt4(csv, output, server, () => undefined)
    for (const subject of done) assert.equal(counts().get(subject), before.get(subject), 'asked again after its record')
    const rows = readRows(output)
    assert.ok(rows.every(({ status, text }) => status === 'ok' && /^A caption of \w+\.$/.test(text)))
    const asked = [...counts().values()].reduce((sum, times) => sum + times, 0)
    return { rows: rows.length, asked }
  } finally {
    await server.close()
  }
}

/** What the records of a journal say was captioned. */
function committed(output) {
  const log = path.join(`${output}.vcap`, 'rows.log')
  if (!fs.existsSync(log)) return []
  return [...fs.readFileSync(log, 'utf8').matchAll(/A caption of (\w+)\.[^\n]*\n/g)].map(([, subject]) => subject)
}

/** Whether it was killed. */
function gpt4(csv, output, server, onKill) {
  const args = [main, 'gpt4', csv, output, '--base-url', server.url, '--concurrency', '2', '--json']
  const env = { ...process.env, OPENAI_API_KEY: 'sk-kill-0123456789' }
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env })
  let stderr = ''
  child.stderr.on('data', (text) => (stderr += text))
  onKill(() => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // it has ended
    }
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      if (signal !== 'SIGKILL' && status !== 0) reject(new Error(`exit code ${status}: ${stderr.slice(-500)}`))
      else resolve(signal === 'SIGKILL')
    })
  })
}
