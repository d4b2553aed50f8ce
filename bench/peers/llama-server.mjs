/**
 * llama-server of the pinned llama.cpp, asked over HTTP as its users do, with as many slots as our batch has.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import http from 'node:http'
import { createServer } from 'node:net'
import { llamaTool } from '../setup.mjs'
import { context, system } from '../workloads.mjs'

export const name = 'llama-server'

/** The server's file: one that VCAP_LLAMA_SERVER names, such as one built for GPUs, else the one of bench/setup.mjs. */
export const serverProgram = () => process.env.VCAP_LLAMA_SERVER ?? llamaTool('llama-server')

export async function start({ pair, batch, threads, devices = [] }) {
  const program = serverProgram()
  if (!existsSync(program)) throw new Error('not built: node bench/setup.mjs')
  const port = await freePort()
  const server = spawn(
    program,
    [
      '--model',
      pair.model,
      '--mmproj',
      pair.mmproj,
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '--threads',
      String(threads),
      '--threads-batch',
      String(threads),
      '--parallel',
      String(batch),
      '--ctx-size',
      String(context * batch),
      '--flash-attn',
      'on',
      '--no-jinja',
      '--chat-template',
      'vicuna',
      // Each request stands for a new video, so the server must not reuse one request's prompt for another. Of its two
      // KV cache layouts, one stream for each slot is the faster.
      '--no-cache-prompt',
      '--cache-ram',
      '0',
      '--no-kv-unified',
      '--no-webui',
      '--offline',
      ...devices
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  let tail = ''
  server.stderr.on('data', (chunk) => {
    tail = (tail + chunk).slice(-4000)
  })
  const ended = new Promise((_, reject) =>
    server.on('exit', (status, signal) => reject(new Error(`it ended with ${signal ?? status}: ${lastLine(tail)}`)))
  )
  ended.catch(() => undefined)
  const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity })
  const stop = async () => {
    agent.destroy()
    server.kill('SIGKILL')
  }
  try {
    await Promise.race([ended, ready(port)])
  } catch (error) {
    await stop()
    throw error
  }
  return {
    async caption(requests) {
      const started = performance.now()
      const captions = await Promise.race([
        ended,
        Promise.all(requests.map((request) => caption(agent, port, request)))
      ])
      return { seconds: (performance.now() - started) / 1000, captions }
    },
    stop
  }
}

async function caption(agent, port, { images, prompt, tokens }) {
  const content = [
    ...images.map((image) => ({
      type: 'image_url',
      image_url: { url: `data:image/jpeg;base64,${image.toString('base64')}` }
    })),
    { type: 'text', text: prompt }
  ]
  const { usage, error } = await post(agent, port, '/v1/chat/completions', {
    messages: [
      { role: 'system', content: system },
      { role: 'user', content }
    ],
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false
  })
  if (error) throw new Error(error.message)
  return { tokens: usage.completion_tokens, promptTokens: usage.prompt_tokens }
}

/** Posts JSON by node:http, since fetch gives up on an answer after five minutes and a full batch may take longer. */
function post(agent, port, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { agent, port, path, host: '127.0.0.1', method: 'POST', headers: { 'content-type': 'application/json' } },
      (response) => {
        const chunks = []
        response.on('data', (chunk) => chunks.push(chunk)).on('error', reject)
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
      }
    )
    request.on('error', reject).end(JSON.stringify(body))
  })
}

async function ready(port) {
  for (let i = 0; i < 600; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error('it is not ready after two minutes')
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

const lastLine = (text) => text.trim().split('\n').at(-1)
