/** A peer written in Python, which reads requests and writes answers as one JSON object a line. */
import { spawn } from 'node:child_process'
import readline from 'node:readline'

/** Starts `script`; `ask(message)` resolves with its next answer. */
export function startPython(python, script, args = []) {
  if (!python) throw new Error('needs --python with its packages')
  const child = spawn(python, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let tail = ''
  child.stderr.on('data', (chunk) => {
    tail = (tail + chunk).slice(-2000)
  })
  let settle
  const fail = (reason) => settle?.reject(new Error(reason))
  child.on('error', (error) => fail(error.message))
  child.on('exit', (status, signal) => fail(`it ended with ${signal ?? status}: ${tail.trim().split('\n').at(-1)}`))
  readline.createInterface({ input: child.stdout }).on('line', (line) => settle.resolve(JSON.parse(line)))
  return {
    ask: (message) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject }
        child.stdin.write(`${JSON.stringify(message)}\n`)
      }),
    stop: () => child.kill('SIGKILL')
  }
}
