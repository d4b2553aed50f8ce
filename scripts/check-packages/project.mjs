import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parse } from 'csv-parse/sync'

/** A folder below the system's temporary one, which the caller removes. */
export function makeFolder(name) {
  return fs.mkdtempSync(path.join(os.tmpdir(), `vcap-check-${name}-`))
}

/** Runs a command: its exit code, its signal and all that it said. Nothing of npm's own environment goes along. */
export function call(command, args, { cwd, env = {} } = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let said = ''
    let stdout = ''
    child.stdout.on('data', (text) => (stdout += text))
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
    child.on('error', reject)
    child.on('close', (status, signal) => resolve({ status, signal, said, stdout }))
  })
}

/** Runs a command that must succeed. Rejects with what it said. */
export async function must(command, args, options) {
  const result = await call(command, args, options)
  if (result.status === 0) return result
  throw new Error(`${command} ${args.join(' ')} ended with ${result.status ?? result.signal}:\n${result.said}`)
}

/** Throws where a demo's output has a caption that is not the expected one. */
export function requireRight(file, rows) {
  const read = parse(fs.readFileSync(file), { columns: true })
  if (read.length !== rows) throw new Error(`${file} has ${read.length} rows, not ${rows}`)
  for (const { path: name, text, expected, error } of read) {
    if (text !== expected) throw new Error(`${name} is captioned "${text}" (${error}), and is "${expected}"`)
  }
}

/** Throws unless the names are these. */
export function requireNames(what, found, wanted) {
  if (found.join() !== wanted.join()) throw new Error(`${what}: ${found.join(', ')}; expected ${wanted.join(', ')}`)
}
