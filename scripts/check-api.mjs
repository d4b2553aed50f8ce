/**
 * `gpt4` against a real server: llama-server of the pinned llama.cpp (built by bench/setup.mjs where it is missing)
 * captions clips of the demo's world by the demo model. Every row must have a caption and its tokens; then the server
 * is stopped, and the same command has nothing left to ask.
 *
 *   npm run check:api -- [--clips 20]
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildLlamaTools, llamaTool } from '../bench/setup.mjs'
import { writeSamples } from '../dist/demo/samples.js'
import { findFfmpeg } from '../dist/frames/tools.js'
import { run } from '../dist/index.js'

const { values } = parseArgs({ options: { clips: { type: 'string', default: '20' } } })
buildLlamaTools()
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-check-api-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
const ffmpeg = findFfmpeg(undefined).path
const clips = Number(values.clips)
const { csv, samples } = await writeSamples({ folder, clips, images: 0, seed: 5, largest: 336, ffmpeg })

const port = await freePort()
const demo = (name) => fileURLToPath(new URL(`../models/demo/${name}`, import.meta.url))
const own = ['--host', '127.0.0.1', '--port', String(port), '--no-webui', '--offline', '--log-disable']
const model = ['--model', demo('vcap-demo.gguf'), '--mmproj', demo('vcap-demo-mmproj.gguf')]
const work = ['--parallel', '4', '--ctx-size', '16384', '--no-jinja', '--chat-template', 'chatml']
const server = spawn(llamaTool('llama-server'), [...own, ...model, ...work], { stdio: ['ignore', 'ignore', 'inherit'] })
process.on('exit', () => server.kill('SIGKILL'))
await ready()

const output = path.join(folder, 'captions.csv')
const rows = []
const api = { apiModel: 'vcap-demo', baseUrl: `http://127.0.0.1:${port}/v1`, price: [1, 2], concurrency: 4 }
const caption = () =>
  run(csv, output, { api, maxTokens: 60, onEvent: (event) => event.type === 'row' && rows.push(event) })
const summary = await caption()
for (const { path: name, status, text, usage } of rows.toSorted((a, b) => a.index - b.index)) {
  console.log(`${name}: ${status}: ${text} (${usage?.promptTokens} + ${usage?.tokens} tokens)`)
}
const complete = rows.filter(
  ({ status, text, usage }) => status === 'ok' && text && usage.promptTokens > 0 && usage.cost > 0
)
const right = rows.filter(({ index, text }) => text === samples[index].expected).length
console.log(
  `check: ${complete.length} of ${clips} rows captioned in ${summary.seconds.toFixed(1)} s, ${right} as drawn`
)
server.kill('SIGKILL')
const again = await caption()
if (complete.length !== clips || !again.already) {
  console.error('check: a row has no caption or no tokens, or the finished run asked again')
  process.exit(1)
}

async function ready() {
  for (let i = 0; i < 600; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
    if (answer?.ok) return
    if (server.exitCode !== null) break
    await pause(200)
  }
  throw new Error('llama-server is not ready')
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
