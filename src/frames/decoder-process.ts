/** The process behind `Decoder`: frames for whoever started it, until that one goes away. */
import fs from 'node:fs'
import os from 'node:os'
import type { DecoderAnswer, DecoderRequest } from './decoder'
import { asVcapError } from '../errors'
import { sampleFrames } from './sample'

const underWay = new Map<number, AbortController>()

process.on('message', (request: DecoderRequest) => {
  if ('cancel' in request) underWay.get(request.id)?.abort()
  else void sample(request)
})
process.on('disconnect', () => process.exit())
// Ctrl-C reaches the whole group: who started us decides what becomes of the work.
process.on('SIGINT', () => undefined)
// The model's threads wait for one another: what runs beside them must not hold one up.
for (const thread of threads()) os.setPriority(thread, os.constants.priority.PRIORITY_LOW)

async function sample({ id, path, settings, threads, tools }: Exclude<DecoderRequest, { cancel: true }>): Promise<void> {
  const own = new AbortController()
  underWay.set(id, own)
  try {
    answer({ id, sampled: await sampleFrames(path, { ...settings, signal: own.signal }, threads, tools) })
  } catch (thrown) {
    const { code, message } = asVcapError(thrown)
    answer({ id, error: { code, message } })
  } finally {
    underWay.delete(id)
  }
}

/** Linux keeps a priority for each thread; those of Node's pool may be there already, and start the decoders'. 0: all of us. */
function threads(): number[] {
  return process.platform === 'linux' ? fs.readdirSync('/proc/self/task').map(Number) : [0]
}

function answer(message: DecoderAnswer): void {
  process.send?.(message)
}
