import readline from 'node:readline'
import type { FfmpegLimits, FfmpegOutcome } from './ffmpeg'
import { runFfmpeg } from './ffmpeg'
import { VcapError } from './errors'

/** A local file and, where its first bytes decide it, the demuxer to read it with. */
export interface VideoFile {
  path: string
  demuxer?: string | undefined
}

/** When each frame of a video is shown, in order of showing. */
export interface FrameIndex {
  length: number
  /** Seconds from the file's start; undefined where the stream has no timestamps. */
  times: Float64Array | undefined
}

/*
 * Demuxers that read one file and open no other. What is missing here is missing on
 * purpose: hls, dash, concat, sdp, imf, image2, avisynth, vapoursynth and their like
 * follow names found in the file.
 */
const demuxers = [
  'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm', 'avi', 'flv', 'live_flv', 'asf', 'ogg', 'nut', 'mxf', 'rm', 'ivf', 'dv', 'wtv',
  'mpegts', 'mpeg', 'mpegvideo', 'm4v', 'h264', 'hevc', 'vvc', 'av1', 'obu', 'vc1', 'vc1test', 'h263', 'h261', 'cavsvideo', 'dirac',
  'mjpeg', 'yuv4mpegpipe', 'gif', 'apng', 'bmp_pipe', 'swf', 'smk', 'bink', 'roq', 'wc3movie',
  'mp3', 'wav', 'flac', 'aac', 'ac3', 'aiff', 'amr', 'au', 'caf', 'w64', 'opus', 'tta', 'wv', 'ape'
].join(',')

/** Input arguments for `file`: that file only, whatever its name or content ask for. */
export function inputArgs(file: VideoFile): string[] {
  return [
    '-protocol_whitelist', 'file',
    '-format_whitelist', demuxers,
    ...(file.demuxer ? ['-f', file.demuxer] : []),
    '-i', `file:${file.path}`
  ]
}

/** AVPacket flags: the container says that this packet's frame is not shown (edit list). */
const packetDiscard = 0x4

/**
 * Reads the packets of the first video stream without decoding them: about 0.1 s for a
 * minute of 720p. Cover art is no video stream. Throws `unreadable`, `no_frames`.
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
  const telling = tail.map((line) => line.replace(/^\[[^\]]*\] /, '').trim()).filter((line) => line !== '' && !/^(frame=|video:|Press \[|Conversion failed)/.test(line))
  return telling.at(-1) ?? `it ended with status ${status}`
}
