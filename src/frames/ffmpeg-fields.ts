import readline from 'node:readline'
import { requireReadToEnd, runFfmpeg, type FfmpegLimits } from './ffmpeg'
import { H264Fields } from './h264-fields'
import type { Field } from './packet-index'

/**
 * Reads which packets of an interlaced H.264 stream hold one field of a picture. `copyArgs` are the arguments that make
 * ffmpeg copy the stream's packets to the output that follows them. The data of all packets are read, but not decoded.
 * Rejects with what `indexFrames` rejects with.
 */
export async function readFields(
  inputArgs: string[],
  copyArgs: string[],
  limits: FfmpegLimits
): Promise<(Field | undefined)[]> {
  const packets = new PacketFields()
  // In both outputs the packets are of the same size: the filter puts start codes between the NAL units, and the
  // stream's headers, which the container may have kept elsewhere, before key frames.
  const args = [...copyArgs, '-bsf:v', 'h264_mp4toannexb', '-flush_packets', '1']
  const outcome = await runFfmpeg(
    ['-loglevel', 'error', ...inputArgs, ...args, '-f', 'framecrc', 'pipe:3', ...args, '-f', 'rawvideo', 'pipe:4'],
    limits,
    {
      outputs: [
        (stream) => {
          readline.createInterface({ input: stream }).on('line', (line) => {
            if (!line.startsWith('#')) packets.addSize(Number(line.split(',')[4]))
          })
        },
        (stream) => stream.on('data', (chunk: Buffer) => packets.addData(chunk))
      ]
    }
  )
  requireReadToEnd(outcome)
  return packets.fields
}

/** Cuts a stream of data into packets, whose sizes come by another way, and reads the field of each. */
class PacketFields {
  readonly fields: (Field | undefined)[] = []
  readonly #parser = new H264Fields(Buffer.alloc(0))
  readonly #sizes: number[] = []
  /** What has come and is not cut yet. */
  #chunks: Buffer[] = []
  #bytes = 0

  addSize(size: number): void {
    this.#sizes.push(size)
    this.#cut()
  }

  addData(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#cut()
  }

  #cut(): void {
    for (let size = this.#sizes[0]; size !== undefined && size <= this.#bytes; size = this.#sizes[0]) {
      this.#sizes.shift()
      const data = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      this.fields.push(this.#parser.fieldOf(data.subarray(0, size)))
      this.#chunks = [data.subarray(size)]
      this.#bytes -= size
    }
  }
}
