/** The process behind `Decoder`: frames for whoever started it, until that one goes away. */
import os from 'node:os'
import type { DecoderAnswer, DecoderRequest } from './decoder'
import { asVcapError } from './errors'
import { sampleFrames } from './frames'

const underWay = new Map<number, AbortController>()

process.on('message', (request: DecoderRequest) => {
  if ('cancel' in request) underWay.get(request.id)?.abort()
  else void sample(request)
})
process.on('disconnect', () => process.exit())
// Ctrl-C reaches the whole group: who started us decides what becomes of the work.
process.on('SIGINT', () => undefined)
// The model's threads wait for one another: what runs beside them must not hold one up.
os.setPriority(os.constants.priority.PRIORITY_LOW)

async function sample({ id, path, settings, ffmpeg }: Exclude<DecoderRequest, { cancel: true }>): Promise<void> {
  const own = new AbortController()
  underWay.set(id, own)
  try {
    answer({ id, sampled: await sampleFrames(path, { ...settings, signal: own.signal }, ffmpeg) })
  } catch (thrown) {
    const { code, message } = asVcapError(thrown)
    answer({ id, error: { code, message } })
  } finally {
    underWay.delete(id)
  }
}

function answer(message: DecoderAnswer): void {
  process.send?.(message)
}
