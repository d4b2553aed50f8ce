/**
 * Runs a peer that is a Node addon in a process of its own, so that no two addons share a process and one that crashes
 * loses only its own figures. This file is both ends: the benchmark imports it, and forks it as the host process.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Starts the peer that `module` (a URL) exports in a child process. Times are taken in the child, so that messages
 * between the processes do not count. `env` is added to its environment.
 */
export async function startHosted(module, options, env = {}) {
  const child = fork(fileURLToPath(import.meta.url), [], {
    serialization: 'advanced',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  let tail = ''
  child.stderr.on('data', (chunk) => {
    tail = (tail + chunk).slice(-2000)
  })
  let settle
  const call = (message) =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject }
      child.send(message)
    })
  child.on('message', ({ error, result }) => (error ? settle.reject(new Error(error)) : settle.resolve(result)))
  child.on('exit', (status, signal) =>
    settle.reject(new Error(`its process ended with ${signal ?? status}: ${tail.trim().split('\n').at(-1)}`))
  )
  try {
    await call({ method: 'start', module, options })
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return {
    caption: (requests, workload) => call({ method: 'caption', requests, workload }),
    async stop() {
      await call({ method: 'stop' }).catch(() => undefined) // the child may have ended already
      child.kill('SIGKILL')
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let peer
  const methods = {
    async start({ module, options }) {
      peer = await (await import(module)).start(options)
    },
    async caption({ requests, workload }) {
      const started = performance.now()
      const captions = await peer.caption(requests, workload)
      return { seconds: (performance.now() - started) / 1000, captions }
    },
    stop: () => peer.stop()
  }
  process.on('message', (message) => {
    methods[message.method](message).then(
      (result) => process.send({ result }),
      (error) => process.send({ error: error.message ?? String(error) })
    )
  })
  process.on('disconnect', () => process.exit())
}
