/** The main program of a decoder's process: samples one file after the other for `Decoder`. */
import fs from 'node:fs'
import os from 'node:os'
import { serve } from '../child-main'
import { VcapError } from '../errors'
import type { DecoderRequest } from './decoder'
import { sendFrames, type SentFrames } from './pixel-file'
import { sampleFrames } from './sample'

/** Bytes that one message between two Node processes can hold: its length has 31 bits. */
const maxMessageBytes = 2 ** 31 - 2 ** 20

serve(async ({ path, settings, threads, tools }: DecoderRequest) =>
  requireSendable(sendFrames(await sampleFrames(path, settings, threads, tools)))
)
// The engine's threads wait for one another at barriers: a decoder that held one of them up would hold up all.
for (const thread of threadIds()) os.setPriority(thread, os.constants.priority.PRIORITY_LOW)

/**
 * The threads of this process. Linux keeps a priority for each thread, and those of Node's pool, which start the
 * decoders' threads, are there already. Elsewhere 0, which means the whole process.
 */
function threadIds(): number[] {
  return process.platform === 'linux' ? fs.readdirSync('/proc/self/task').map(Number) : [0]
}

function requireSendable(sent: SentFrames): SentFrames {
  const bytes = sent.frames.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
  if (bytes < maxMessageBytes) return sent
  const size = `${(bytes / 2 ** 30).toFixed(1)} GiB`
  throw new VcapError(
    'unreadable',
    `Its ${sent.frames.length} frames have ${size}: ask for fewer, or for smaller ones (resize)`
  )
}
