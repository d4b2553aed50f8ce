/** Frames decoded inside this process by node-av (FFmpeg's libraries as an addon), as exactly as ours: by index. */
import { createRequire } from 'node:module'
import { packageHome } from '../setup.mjs'

const require = createRequire(packageHome())
const { CodecContext, Codec, FormatContext, Frame, Packet, SoftwareScaleContext, FFmpegError } = require('node-av/lib')
const constants = require('node-av/constants')

const check = (status) => FFmpegError.throwIfError(status)

/** The frames with these parts of the video's length as their index, as RGB. `threads`: of the decoder. */
export async function extract(file, points, threads = 1) {
  const format = new FormatContext()
  check(await format.openInput(`file:${file}`))
  check(await format.findStreamInfo())
  const place = format.findBestStream(constants.AVMEDIA_TYPE_VIDEO)
  const { codecpar } = format.streams[place]
  const codec = Codec.findDecoder(codecpar.codecId)
  const decoder = new CodecContext()
  decoder.allocContext3(codec)
  check(decoder.parametersToContext(codecpar))
  decoder.threadCount = threads
  check(await decoder.open2(codec))
  const packet = new Packet()
  packet.alloc()
  try {
    const times = await indexFrames(format, place, packet)
    const frames = []
    // No codec reorders by more than 16 frames.
    const margin = times.length > 1 ? ((times.at(-1) - times[0]) * 17n) / BigInt(times.length - 1) : 0n
    for (const point of points) frames.push(await decodeAt(format, place, decoder, packet, times[Math.trunc(point * times.length)], margin))
    return frames
  } finally {
    packet.free()
    decoder.freeContext()
    await format.closeInput()
  }
}

/** When each frame is shown, from the packets alone. */
async function indexFrames(format, place, packet) {
  const times = []
  while ((await format.readFrame(packet)) >= 0) {
    if (packet.streamIndex === place) times.push(packet.pts)
    packet.unref()
  }
  return times.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

async function decodeAt(format, place, decoder, packet, time, margin) {
  check(await format.seekFrame(place, time, constants.AVSEEK_FLAG_BACKWARD))
  decoder.flushBuffers()
  const frame = new Frame()
  frame.alloc()
  let skipping
  try {
    for (let ended = false; !ended; ) {
      ended = (await format.readFrame(packet)) < 0
      if (!ended && packet.streamIndex !== place) {
        packet.unref()
        continue
      }
      // Until packets come near the frame, those that no other needs are not decoded. B-frames arrive late: their
      // neighbours' times are looked at.
      const skip = !ended && packet.dts < time - margin
      if (skip !== skipping) check(decoder.setOption('skip_frame', skip ? 'noref' : 'default'))
      skipping = skip
      await decoder.sendPacket(ended ? null : packet)
      packet.unref()
      while ((await decoder.receiveFrame(frame)) >= 0) {
        if (frame.bestEffortTimestamp >= time) return await toPicture(frame)
        frame.unref()
      }
    }
    throw new Error('the frame is not there')
  } finally {
    frame.free()
  }
}

async function toPicture(frame) {
  const { width, height } = frame
  const scaler = new SoftwareScaleContext()
  scaler.getContext(width, height, frame.format, width, height, constants.AV_PIX_FMT_RGB24, constants.SWS_BICUBIC)
  const rgb = new Frame()
  rgb.alloc()
  Object.assign(rgb, { width, height, format: constants.AV_PIX_FMT_RGB24 })
  check(rgb.allocBuffer())
  check(await scaler.scaleFrame(rgb, frame))
  const data = rgb.toBuffer()
  rgb.free()
  scaler.freeContext()
  return { data, width, height }
}
