import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const main = path.join(root, 'dist', 'cli', 'main.js')

/** Starts the command; `onStderr` sees what came so far and the child. */
export function cli(args, { env = {}, cwd, onStderr } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { cwd, env: { ...process.env, ...env } })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => {
      stderr += text
      onStderr?.(stderr, child)
    })
    child.on('error', reject)
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
}

/** `run` with the demo model on the CPU. */
export function run(input, output, ...more) {
  const options = typeof more.at(-1) === 'object' ? more.pop() : {}
  return cli(['run', input, output, '--model', 'demo', '--gpus', 'none', ...more], options)
}

export const readRows = (file) => parse(fs.readFileSync(file), { columns: true })
export const readCells = (file) => parse(fs.readFileSync(file))
