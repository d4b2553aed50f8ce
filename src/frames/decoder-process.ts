/** A process behind `Decoder`: frames of one file after the other for whoever started it, until that one goes away. */
import fs from 'node:fs'
import os from 'node:os'
import { asVcapError, VcapError } from '../errors'
import type { DecoderAnswer, DecoderRequest } from './decoder'
import { sampleFrames, type SampledFrames } from './sample'

process.on('message', ({ path, settings, threads, tools }: DecoderRequest) => {
  sampleFrames(path, settings, threads, tools)
    .then(requireSendable)
    .then(
      (sampled) => answer({ sampled }),
      (thrown: unknown) => {
        const { code, message } = asVcapError(thrown)
        answer({ error: { code, message } })
      }
    )
})
process.on('disconnect', () => process.exit())
// Ctrl-C reaches the whole group: who started us decides what becomes of the work.
process.on('SIGINT', () => undefined)
// The model's threads wait for one another: what runs beside them must not hold one up.
for (const thread of threads()) os.setPriority(thread, os.constants.priority.PRIORITY_LOW)

/** Linux keeps a priority for each thread; those of Node's pool may be there already, and start the decoders'. 0: all of us. */
function threads(): number[] {
  return process.platform === 'linux' ? fs.readdirSync('/proc/self/task').map(Number) : [0]
}

/** Node's messages between processes say their length in 31 bits. */
function requireSendable(sampled: SampledFrames): SampledFrames {
  const bytes = sampled.frames.reduce((sum, { data }) => sum + data.length, 0)
  if (bytes < 2 ** 31 - 2 ** 20) return sampled
  throw new VcapError(
    'unreadable',
    `Its ${sampled.frames.length} frames have ${(bytes / 2 ** 30).toFixed(1)} GiB: ask for fewer, or for smaller ones (resize)`
  )
}

function answer(message: DecoderAnswer): void {
  // Who started us may have gone meanwhile.
  process.send?.(message, (error: Error | null) => error && process.exit())
}

answer({ ready: true })
