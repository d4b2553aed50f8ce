import readline from 'node:readline'
import { VcapError } from '../errors'
import { runFfmpeg, type FfmpegLimits, type FfmpegOutcome } from './ffmpeg'
import { demuxers, type FrameIndex, type VideoFile } from './reader'

/** Input arguments for `file`: that file only, whatever its name or content ask for. */
export function inputArgs(file: VideoFile): string[] {
  return [
    '-protocol_whitelist',
    'file',
    '-format_whitelist',
    demuxers,
    ...(file.demuxer ? ['-f', file.demuxer] : []),
    '-i',
    `file:${file.path}`
  ]
}

/** AVPacket flags: the container says that this packet's frame is not shown (edit list). */
const packetDiscard = 0x4

/**
 * Reads the packets of the first video stream without decoding them: about 0.1 s for a
 * minute of 720p. Throws `unreadable`, `no_frames`.
 */
export async function indexFrames(file: VideoFile, limits: FfmpegLimits): Promise<FrameIndex> {
  const stamps: number[] = []
  let timeBase = 0
  let stamped = true
  let opened = false
  const outcome = await runFfmpeg(
    ['-loglevel', 'info', ...inputArgs(file), '-map', '0:V:0', '-c', 'copy', '-copyinkf', '-f', 'framecrc', 'pipe:3'],
    limits,
    {
      onStderr: (line) => {
        opened ||= line.startsWith('Input #0')
      },
      outputs: [
        (stream) => {
          readline.createInterface({ input: stream }).on('line', (line) => {
            if (line.startsWith('#')) {
              const base = /^#tb 0: (\d+)\/(\d+)/.exec(line)
              if (base) timeBase = Number(base[1]) / Number(base[2])
              return
            }
            const [, , pts, , , , flags] = line.split(',').map((cell) => cell.trim())
            if (flags?.startsWith('F=') && Number(flags.slice(2)) & packetDiscard) return
            const stamp = Number(pts)
            stamped &&= Number.isSafeInteger(stamp)
            stamps.push(stamp)
          })
        }
      ]
    }
  )
  if (outcome.timedOut) throw new VcapError('unreadable', 'Reading its packets took too long')
  if (!opened) throw new VcapError('unreadable', `ffmpeg cannot open it: ${reason(outcome)}`)
  if (stamps.length === 0) throw new VcapError('no_frames', `It has no video frames: ${reason(outcome)}`)
  if (!stamped || timeBase === 0) return { length: stamps.length, times: undefined }
  return { length: stamps.length, times: Float64Array.from(stamps, (stamp) => stamp * timeBase).sort() }
}

/** The last line of stderr that says something. */
export function reason({ status, tail }: FfmpegOutcome): string {
  const telling = tail
    .map((line) => line.replace(/^\[[^\]]*\] /, '').trim())
    .filter((line) => line !== '' && !/^(frame=|video:|Press \[|Conversion failed)/.test(line))
  return telling.at(-1) ?? `it ended with status ${status}`
}
