import { VcapError } from '../errors'
import type { Picture } from '../picture'
import type { CountReason, PacketIndex } from './packet-index'

/** Largest number of pixels of a frame. Larger frames are refused. */
export const maxPixels = 16384 * 16384

/** A local file that FFmpeg is to read. */
export interface VideoFile {
  path: string
  /** FFmpeg's name of the demuxer. Where it is undefined, FFmpeg chooses one of `demuxers`. */
  demuxer?: string | undefined
}

/** FFmpeg's names of the demuxers whose times it invents, since they read a bare stream of pictures. */
export const untimedDemuxers = ['h264', 'hevc', 'vvc', 'mpegvideo', 'cavsvideo', 'vc1', 'dirac']

/** The time and the threads that reading one file may take. */
export interface ReadLimits {
  /** When reading is given up: milliseconds of `performance.now()`, which no setting of the clock changes. */
  deadline: number
  /** Threads of each decoder. */
  threads: number
}

/**
 * How far a file is read to find its streams and their headers where FFmpeg's own limits, some seconds and 5 MB, did
 * not reach the video: as options of FFmpeg, in microseconds and bytes.
 */
export const farProbe = { analyzeduration: String(600e6), probesize: String(200e6) }

/** The error for a file that could not be decoded before its deadline. */
export function tookTooLong(): VcapError {
  return new VcapError('unreadable', 'Decoding it took too long')
}

/** Throws `unreadable` where a frame of this size, which may not be decoded yet, is too large. */
export function requireFrameSize(width: number, height: number): void {
  if (width * height <= maxPixels) return
  throw new VcapError('unreadable', `Its frames of ${width} × ${height} are too large`)
}

/** FFmpeg cannot open a file; `reason` is FFmpeg's. */
export class CannotOpen extends VcapError {
  constructor(reason: string, what = 'It is no video or image that FFmpeg knows') {
    super('unreadable', `${what}, or its beginning is damaged (${reason})`)
  }
}

/** FFmpeg knows a file's kind, which is none of `demuxers`; it says the same of some damage. */
export function kindNotRead(): CannotOpen {
  return new CannotOpen('convert it to MP4, PNG or JPEG', 'It is of a kind that is not read')
}

/** In pixels. */
export interface FrameSize {
  width: number
  height: number
}

/** Reads frames of the first video stream of one file that is not cover art. */
export interface VideoReader {
  /**
   * Indexes the frames by the packets, without decoding them. `durations`: how long each lasts is read as well, where
   * the index is not there yet. Throws `unreadable`, `no_frames`.
   */
  index(durations?: boolean): PacketIndex | Promise<PacketIndex>
  /** Size of its frames, upright, as the file tells it; undefined where only a frame does. */
  size(): FrameSize | undefined | Promise<FrameSize | undefined>
  /**
   * Decodes frames by seeking to each of them. `wanted` holds their indices in presentation order, ascending. The
   * index must have no `countReason`. Throws `unreadable`, `no_frames`.
   */
  decodeBySeeking(wanted: number[]): SoughtFrames | Promise<SoughtFrames>
  /**
   * Decodes the whole video and counts its frames to find the wanted ones. `wanted` holds their indices in presentation
   * order, ascending and without repeats. Throws `unreadable`, `no_frames`.
   */
  decodeFromStart(wanted: number[]): CountedFrames | Promise<CountedFrames>
  close(): void
}

/** What seeking gives: the wanted frames in the order asked for, or why they must be counted instead. */
export type SoughtFrames = { pictures: Picture[] } | { countReason: CountReason }

/** What decoding a whole video gives. */
export interface CountedFrames {
  /** The wanted frames, in the order asked for; undefined for an index beyond the last frame. */
  pictures: (Picture | undefined)[]
  /** Presentation times of all frames in seconds from the file's start; NaN for one that has none. */
  times: number[]
}

/*
 * The demuxers that FFmpeg may use. They read one file and open no other. Demuxers such as hls, dash, concat, sdp, imf,
 * image2, avisynth and vapoursynth are left out on purpose, since they open other files that a file names.
 */
export const demuxers = [
  'mov,mp4,m4a,3gp,3g2,mj2',
  'matroska,webm',
  'avi',
  'flv',
  'live_flv',
  'asf',
  'ogg',
  'nut',
  'mxf',
  'rm',
  'ivf',
  'dv',
  'wtv',
  'mpegts',
  'mpeg',
  'mpegvideo',
  'm4v',
  'h264',
  'hevc',
  'vvc',
  'av1',
  'obu',
  'vc1',
  'vc1test',
  'h263',
  'h261',
  'cavsvideo',
  'dirac',
  'mjpeg',
  'yuv4mpegpipe',
  'gif',
  'apng',
  'bmp_pipe',
  'pbm_pipe',
  'pgm_pipe',
  'ppm_pipe',
  'pam_pipe',
  'j2k_pipe',
  'swf',
  'smk',
  'bink',
  'roq',
  'wc3movie',
  'mp3',
  'wav',
  'flac',
  'aac',
  'ac3',
  'aiff',
  'amr',
  'au',
  'caf',
  'w64',
  'opus',
  'tta',
  'wv',
  'ape'
].join(',')
