/** The main program of a decoder process: answers its parent's requests, for frames of one file or for what it is. */
import fs from 'node:fs'
import os from 'node:os'
import { Worker } from 'node:worker_threads'
import { serve } from '../child-main'
import { VcapError } from '../errors'
import type { DecoderRequest } from './decoder'
import { isOutOfMemory, outOfMemoryStatus } from './memory-limit'
import { sendFrames, type SentFrames } from './pixel-file'
import { probeMedia, type MediaFacts } from './probe'
import { sampleFrames } from './sample'

/**
 * Largest size in bytes of the pixels in one message. Node writes a message's length as a number of 31 bits; 1 MiB is
 * left for the other parts of the message.
 */
const maxMessageBytes = 2 ** 31 - 2 ** 20

serve(async (request: DecoderRequest) => {
  try {
    return await answer(request)
  } catch (error) {
    if (isOutOfMemory(error)) process.exit(outOfMemoryStatus)
    throw isFault(error) ? unforeseen(error) : error
  }
})
// Decoding has the lowest priority, since the engine's threads wait for one another at barriers: a decoder that takes a
// core from one of them delays all of them. The ffmpeg processes that are started here inherit the priority.
for (const thread of threadIds()) os.setPriority(thread, os.constants.priority.PRIORITY_LOW)

async function answer(request: DecoderRequest): Promise<SentFrames | MediaFacts> {
  const { path, threads, tools } = request
  if (request.work === 'probe') return probeMedia(path, request.settings, threads, tools)
  return requireSendable(sendFrames(await sampleFrames(path, request.settings, threads, tools)))
}

/**
 * The ids for which the priority of this process has to be set. Linux has a priority for each thread, so these are the
 * ids of all threads that Node has started; a thread that one of them starts inherits its priority. Other systems have
 * one priority for the process, which the id 0 names.
 */
function threadIds(): number[] {
  return process.platform === 'linux' ? fs.readdirSync('/proc/self/task').map(Number) : [0]
}

/** Throws `unreadable` where the pixels that are left for the message exceed its largest size. */
function requireSendable(sent: SentFrames): SentFrames {
  const bytes = sent.frames.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
  if (bytes < maxMessageBytes) return sent
  const size = `${(bytes / 2 ** 30).toFixed(1)} GiB`
  throw new VcapError(
    'unreadable',
    `Its ${sent.frames.length} frames have ${size}: ask for fewer, or for smaller ones (resize)`
  )
}

/** Whether an error is a fault of ours, which the file has brought to light; the system's errors have a number. */
function isFault(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof VcapError) && !('errno' in error)
}

/** Costs the file's own row, as every fault of a file does. */
function unforeseen(cause: Error): VcapError {
  const [message] = cause.message.split('\n')
  return new VcapError('unreadable', `It is damaged in a way that is not foreseen (${message}): report the file`, {
    cause
  })
}

/** Milliseconds between two looks for the parent. */
const watchMs = 1000

/**
 * Ends this process when its parent is gone. FFmpeg's libraries are called synchronously and may hang in a damaged
 * file: then nobody else notices. A process that listens hears of it at once and ends its ffmpeg first, so that two
 * looks are needed.
 */
const watch = `
  const { workerData: { parent, watchMs } } = require('node:worker_threads')
  let orphaned = 0
  setInterval(() => {
    orphaned += process.ppid === parent ? 0 : 1
    if (orphaned > 1) process.kill(process.pid, 'SIGKILL')
  }, watchMs)`
new Worker(watch, {
  eval: true,
  workerData: { parent: process.ppid, watchMs },
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 }
}).unref()

// A file that another thread decodes, which may hang, is not waited for. All that ends with the process has been ended.
process.on('exit', (status) => status === 0 && process.kill(process.pid, 'SIGKILL'))
