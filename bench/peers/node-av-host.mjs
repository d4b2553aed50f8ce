/**
 * node-av in a process beside ours: what it costs to keep a decoder's crash to itself. This file is both ends:
 * imported by the bench, forked as the host.
 */
import { fork } from 'node:child_process'
import os from 'node:os'
import { fileURLToPath } from 'node:url'

/** `extract` as in node-av.mjs, one file at a time, at the lowest priority as our ffmpeg has it. */
export async function startHost() {
  const child = fork(fileURLToPath(import.meta.url), [], { serialization: 'advanced' })
  let settle
  child.on('message', ({ error, frames }) => (error ? settle.reject(new Error(error)) : settle.resolve(frames)))
  child.on('exit', (status, signal) => settle?.reject(new Error(`the decoder ended with ${signal ?? status}`)))
  os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW)
  return {
    extract: (file, points) => new Promise((resolve, reject) => {
      settle = { resolve, reject }
      child.send({ file, points })
    }),
    stop: () => child.kill('SIGKILL')
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { extract } = await import('./node-av.mjs')
  process.on('message', ({ file, points }) => {
    extract(file, points).then((frames) => process.send({ frames }), (error) => process.send({ error: error.message }))
  })
  process.on('disconnect', () => process.exit())
}
