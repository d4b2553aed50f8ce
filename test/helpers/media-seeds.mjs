import fs from 'node:fs'
import path from 'node:path'
import sharp from 'sharp'
import { writeHeic } from './heic.mjs'
import { countingClip, ffmpeg, hasEncoder } from './media.mjs'

/*
 * One small file of every kind that is read, to be damaged: 12 frames of 64 × 64 in each container, and pictures.
 */

const size = { count: 12, width: 64, height: 64 }
const sound = ['-f', 'lavfi', '-i', 'sine=d=0.5']
const x264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '6']

/** Names, and ffmpeg's arguments for each. */
const clips = {
  'plain.mp4': [...x264, '-bf', '2'],
  'front.mp4': [...x264, '-movflags', '+faststart'],
  'sound.mp4': [...sound, ...x264, '-c:a', 'aac', '-shortest'],
  'fragments.mp4': [...x264, '-movflags', '+frag_keyframe+empty_moov'],
  'fields.mp4': [...x264, '-flags', '+ilme+ildct'],
  'prores.mov': ['-c:v', 'prores_ks'],
  'animation.mov': ['-c:v', 'qtrle'],
  'av1.mp4': ['-c:v', 'libsvtav1', '-pix_fmt', 'yuv420p'],
  'hevc.mkv': ['-c:v', 'libx265', '-x265-params', 'log-level=none', '-pix_fmt', 'yuv420p'],
  'ffv1.mkv': ['-c:v', 'ffv1', '-level', '3'],
  'raw.mkv': ['-c:v', 'rawvideo', '-pix_fmt', 'yuv420p'],
  'vp9.webm': ['-c:v', 'libvpx-vp9', '-pix_fmt', 'yuv420p', '-deadline', 'realtime'],
  'vp8.ivf': ['-c:v', 'libvpx', '-pix_fmt', 'yuv420p', '-deadline', 'realtime'],
  'mpeg4.avi': ['-c:v', 'mpeg4', '-bf', '2'],
  'mjpeg.avi': ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p'],
  'palette.avi': ['-c:v', 'msrle'],
  'flash.flv': [...sound, '-c:v', 'flv1', '-ar', '44100', '-shortest'],
  'stream.ts': [...sound, ...x264, '-c:a', 'aac', '-shortest'],
  'fields.ts': ['-c:v', 'mpeg2video', '-flags', '+ilme+ildct', '-f', 'mpegts'],
  'program.mpg': ['-c:v', 'mpeg2video'],
  'windows.wmv': ['-c:v', 'wmv2'],
  'theora.ogv': ['-c:v', 'libtheora', '-pix_fmt', 'yuv420p'],
  'exchange.mxf': ['-c:v', 'mpeg2video'],
  'open.nut': ['-c:v', 'huffyuv'],
  'real.rm': ['-c:v', 'rv20'],
  'bare.h264': x264,
  'bare.hevc': ['-c:v', 'libx265', '-x265-params', 'log-level=none', '-pix_fmt', 'yuv420p', '-f', 'hevc'],
  'motion.mjpeg': ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p'],
  'four.y4m': ['-pix_fmt', 'yuv420p'],
  'moves.gif': [],
  'moves.png': ['-f', 'apng', '-plays', '0']
}

/** Pictures that sharp writes, and how. */
const pictures = {
  'still.png': (image) => image.png(),
  'palette.png': (image) => image.png({ palette: true }),
  'plain.jpg': (image) => image.jpeg().withMetadata({ orientation: 6 }),
  'progressive.jpg': (image) => image.jpeg({ progressive: true }),
  'lossy.webp': (image) => image.webp(),
  'lossless.webp': (image) => image.webp({ lossless: true }),
  'still.gif': (image) => image.gif(),
  'still.avif': (image) => image.avif({ effort: 0 }),
  'strips.tiff': (image) => image.tiff({ compression: 'lzw' }),
  'tiles.tiff': (image) => image.tiff({ tile: true, tileWidth: 32, tileHeight: 32, compression: 'deflate' })
}

/** Pictures that ffmpeg writes. */
const written = { 'a.bmp': [], 'a.ppm': [], 'a.pgm': [], 'a.pam': [], 'a.jp2': ['-c:v', 'jpeg2000'] }

/** Files that point elsewhere. */
const pointing = {
  'a.m3u8': '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n',
  'a.ffconcat': "ffconcat version 1.0\nfile 'plain.mp4'\n",
  'a.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><image href="still.png"/></svg>'
}

process.env.SVT_LOG ??= '0' // the AV1 encoder talks to stderr

/** Writes the files into `folder`; those for which this ffmpeg has an encoder. Returns their paths. */
export async function writeMediaSeeds(folder) {
  const at = (name) => path.join(folder, name)
  for (const [name, args] of Object.entries(clips)) {
    const codec = args[args.lastIndexOf('-c:v') + 1]
    if (args.includes('-c:v') && !hasEncoder(codec)) continue
    countingClip(at(name), args, size)
  }
  const pixels = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7 + (i >> 6) * 3) & 255))
  const image = () => sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } })
  for (const [name, write] of Object.entries(pictures)) await write(image()).toFile(at(name))
  const frames = Buffer.concat([pixels, Buffer.from(pixels).reverse(), pixels])
  await sharp(frames, { raw: { width: 64, height: 192, channels: 3, pageHeight: 64 } })
    .webp({ loop: 0, delay: [40, 40, 40] })
    .toFile(at('moves.webp'))
  for (const [name, args] of Object.entries(written)) ffmpeg('-i', at('still.png'), ...args, at(name))
  if (hasEncoder('libx265')) writeHeic(at('grid.heic'), pixels, { tile: 32, columns: 2, rows: 2 })
  for (const [name, text] of Object.entries(pointing)) fs.writeFileSync(at(name), text)
  return fs.readdirSync(folder).map(at)
}
