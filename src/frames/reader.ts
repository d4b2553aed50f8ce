import { VcapError } from '../errors'
import type { Picture } from '../picture'

/** Largest number of pixels of a frame. Larger frames are refused. */
export const maxPixels = 16384 * 16384

/** A local file that FFmpeg is to read. */
export interface VideoFile {
  path: string
  /** FFmpeg's name of the demuxer. Where it is undefined, FFmpeg chooses one of `demuxers`. */
  demuxer?: string | undefined
}

/** The time and the threads that reading one file may take. */
export interface ReadLimits {
  /** Time at which reading is given up, in milliseconds since the Unix epoch. */
  deadline: number
  /** Threads of each decoder. */
  threads: number
}

/** The error for a file that could not be decoded before its deadline. */
export function tookTooLong(): VcapError {
  return new VcapError('unreadable', 'Decoding it took too long')
}

/** The frames of a video, as its packets announce them. */
export interface FrameIndex {
  /** Number of frames. */
  length: number
  /**
   * Presentation times of the frames in seconds from the file's start, in presentation order; undefined where a packet
   * has no timestamp.
   */
  times: Float64Array | undefined
}

/** Reads frames of the first video stream of one file that is not cover art. */
export interface VideoReader {
  /** Indexes the frames by the packets, without decoding them. Throws `unreadable`, `no_frames`. */
  index(): FrameIndex | Promise<FrameIndex>
  /**
   * Decodes frames by seeking to each of them. `wanted` holds their indices in presentation order, ascending. Returns
   * undefined where a decoded frame does not have the time that the index gives for it, because the container cannot
   * seek exactly or a packet does not hold exactly one frame. `decodeFromStart` can decode such a video. Throws
   * `unreadable`, `no_frames`.
   */
  decodeBySeeking(wanted: number[]): Picture[] | undefined | Promise<Picture[] | undefined>
  /**
   * Decodes the video from its start and counts the frames to find the wanted ones. `wanted` holds their indices in
   * presentation order, ascending and without repeats. Throws `unreadable`, `no_frames`.
   */
  decodeFromStart(wanted: number[]): CountedFrames | Promise<CountedFrames>
  close(): void
}

/** What decoding a video from its start gives. */
export interface CountedFrames {
  /** The wanted frames, in the order asked for; undefined for an index beyond the last frame. */
  pictures: (Picture | undefined)[]
  /** Number of frames that were decoded, which is all frames of the video where a picture is undefined. */
  length: number
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
