import { VcapError } from '../errors'
import type { Picture } from '../picture'

/** Pixels of the largest picture taken. */
export const mostPixels = 16384 * 16384

/** A local file and, where its first bytes decide it, the demuxer to read it with. */
export interface VideoFile {
  path: string
  demuxer?: string | undefined
}

/** What reading one file may take. */
export interface ReadLimits {
  /** Milliseconds since the epoch. */
  deadline: number
  /** Of a decoder. */
  threads: number
}

export function tookTooLong(): VcapError {
  return new VcapError('unreadable', 'Decoding it took too long')
}

/** When each frame of a video is shown, in order of showing. */
export interface FrameIndex {
  length: number
  /** Seconds from the file's start; undefined where the stream has no timestamps. */
  times: Float64Array | undefined
}

/** Frames of the first video stream of one file that is not cover art. */
export interface VideoReader {
  /** By the packets, without decoding them. Throws `unreadable`, `no_frames`. */
  index(): FrameIndex | Promise<FrameIndex>
  /**
   * Decodes the frames `wanted` (places in the index, ascending) by seeking to each. Undefined when a frame is not the
   * one at its time: the container seeks badly, or its packets are not its frames, and `fromStart` has to count.
   */
  bySeeking(wanted: number[]): Picture[] | undefined | Promise<Picture[] | undefined>
  /**
   * Decodes the whole video and keeps the frames `wanted` (ascending, without repeats). Frames beyond the end stay
   * undefined, and `length` then tells how many there are. Throws `unreadable`, `no_frames`.
   */
  fromStart(wanted: number[]): CountedFrames | Promise<CountedFrames>
  close(): void
}

export interface CountedFrames {
  pictures: (Picture | undefined)[]
  length: number
}

/*
 * Demuxers that read one file and open no other. What is missing here is missing on
 * purpose: hls, dash, concat, sdp, imf, image2, avisynth, vapoursynth and their like
 * follow names found in the file.
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
