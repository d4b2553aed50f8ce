/** Videos in each codec that FFmpeg writes into a file, and pixels of each kind. */
import { clip, frameCount, x264 } from './make.mjs'

/**
 * The file's name, the encoder and its arguments; frames where they are not `frameCount`. One codec may come in
 * several containers.
 */
const codecs = [
  ['h264.mp4', 'libx264', x264],
  ['h264-rgb.mkv', 'libx264rgb', ['-preset', 'ultrafast']],
  ['hevc.mp4', 'libx265', ['-preset', 'ultrafast', '-x265-params', 'log-level=none']],
  ['av1.mp4', 'libaom-av1', ['-cpu-used', '8', '-usage', 'realtime']],
  ['av1.webm', 'libsvtav1', ['-preset', '12'], { size: '96x64' }],
  ['vp8.webm', 'libvpx', ['-deadline', 'realtime', '-cpu-used', '8']],
  ['vp9.webm', 'libvpx-vp9', ['-deadline', 'realtime', '-cpu-used', '8']],
  ['mpeg1.mpg', 'mpeg1video'],
  ['mpeg2.ts', 'mpeg2video'],
  ['mpeg2.mxf', 'mpeg2video'],
  ['mpeg4.mp4', 'mpeg4'],
  ['xvid.avi', 'libxvid', [], { size: '96x64' }],
  ['h261.mkv', 'h261', ['-s', '176x144']],
  ['h263.3gp', 'h263', ['-s', '128x96']],
  ['h263-plus.avi', 'h263p'],
  ['sorenson.flv', 'flv'],
  ['flash-screen.flv', 'flashsv', ['-pix_fmt', 'bgr24']],
  ['flash-screen-2.flv', 'flashsv2', ['-pix_fmt', 'bgr24']],
  ['msmpeg4v2.avi', 'msmpeg4v2'],
  ['msmpeg4v3.avi', 'msmpeg4'],
  ['wmv1.wmv', 'wmv1'],
  ['wmv2.wmv', 'wmv2'],
  ['real-1.rm', 'rv10'],
  ['real-2.rm', 'rv20'],
  ['theora.ogv', 'libtheora', ['-pix_fmt', 'yuv420p']],
  ['dirac.mkv', 'vc2', ['-pix_fmt', 'yuv420p']],
  ['prores.mov', 'prores'],
  ['prores-4444.mov', 'prores_ks', ['-profile:v', '4', '-pix_fmt', 'yuva444p10le']],
  ['dnxhr.mov', 'dnxhd', ['-profile:v', 'dnxhr_lb', '-pix_fmt', 'yuv422p', '-s', '256x128']],
  ['cineform.mov', 'cfhd', ['-pix_fmt', 'yuv422p10le']],
  ['dv.avi', 'dvvideo', ['-s', '720x576', '-pix_fmt', 'yuv420p']],
  ['mjpeg.avi', 'mjpeg', ['-pix_fmt', 'yuvj420p']],
  ['mjpeg.mjpeg', 'mjpeg', ['-pix_fmt', 'yuvj420p']],
  ['lossless-jpeg.avi', 'ljpeg', ['-pix_fmt', 'bgr24']],
  ['jpeg-ls.avi', 'jpegls', ['-pix_fmt', 'rgb24']],
  ['jpeg-2000.mov', 'jpeg2000'],
  ['png.mov', 'png'],
  ['animated.gif', 'gif'],
  ['animated.png', 'apng', ['-f', 'apng', '-plays', '0']],
  ['animated.webp', 'libwebp_anim', ['-loop', '0']],
  ['ffv1.mkv', 'ffv1'],
  ['huffyuv.avi', 'huffyuv', ['-pix_fmt', 'yuv422p']],
  ['ffvhuff.avi', 'ffvhuff'],
  ['utvideo.avi', 'utvideo', ['-pix_fmt', 'yuv420p']],
  ['magicyuv.avi', 'magicyuv', ['-pix_fmt', 'yuv420p']],
  ['raw.avi', 'rawvideo', ['-pix_fmt', 'yuv420p']],
  ['raw.mov', 'rawvideo', ['-pix_fmt', 'rgb24']],
  ['raw.nut', 'rawvideo', ['-pix_fmt', 'rgb24']],
  ['raw.y4m', 'wrapped_avframe', ['-pix_fmt', 'yuv420p']],
  ['v210.mov', 'v210'],
  ['quicktime-rle.mov', 'qtrle'],
  ['quicktime-video.mov', 'rpza', ['-pix_fmt', 'rgb555']],
  ['quicktime-graphics.mov', 'smc', ['-pix_fmt', 'pal8']],
  ['sorenson-1.mov', 'svq1', ['-pix_fmt', 'yuv410p']],
  ['hap.mov', 'hap'],
  ['cinepak.avi', 'cinepak'],
  ['microsoft-video-1.avi', 'msvideo1', ['-pix_fmt', 'rgb555']],
  ['asus-1.avi', 'asv1'],
  ['asus-2.avi', 'asv2'],
  ['zlib.avi', 'zlib', ['-pix_fmt', 'bgr24']],
  ['zmbv.avi', 'zmbv', ['-pix_fmt', 'bgr24']],
  ['snow.avi', 'snow'],
  ['roq.roq', 'roqvideo', ['-r', '30', '-pix_fmt', 'yuvj444p', '-quake3_compat', '0'], { frames: 10, shown: 12 }],
  ['bare.h264', 'libx264', x264],
  ['bare.hevc', 'libx265', ['-preset', 'ultrafast', '-x265-params', 'log-level=none']],
  ['bare.m2v', 'mpeg2video'],
  ['bare.m4v', 'mpeg4', ['-f', 'm4v']],
  ['bare.obu', 'libaom-av1', ['-cpu-used', '8', '-usage', 'realtime']],
  ['vp9.ivf', 'libvpx-vp9', ['-deadline', 'realtime', '-cpu-used', '8']],
  ['h264.mkv', 'libx264', x264],
  ['h264.avi', 'libx264', x264],
  ['h264.flv', 'libx264', x264],
  ['h264.ts', 'libx264', x264],
  ['mpeg2.vob', 'mpeg2video', ['-f', 'vob']],
  ['mpeg2.wtv', 'mpeg2video', ['-f', 'wtv']]
]

/** Pixels of kinds that are not 8-bit 4:2:0, and what says how they are shown. */
const hevc = (...more) => ['-preset', 'ultrafast', '-x265-params', ['log-level=none', ...more].join(':')]
const pixels = [
  ['h264-10-bit.mp4', 'libx264', ['-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le']],
  ['h264-4-4-4.mp4', 'libx264', ['-preset', 'ultrafast', '-pix_fmt', 'yuv444p']],
  ['h264-gray.mp4', 'libx264', ['-preset', 'ultrafast', '-pix_fmt', 'gray']],
  ['hevc-10-bit.mp4', 'libx265', [...hevc(), '-pix_fmt', 'yuv420p10le']],
  ['hevc-12-bit.mp4', 'libx265', [...hevc(), '-pix_fmt', 'yuv422p12le']],
  [
    'hdr.mp4',
    'libx265',
    [...hevc('hdr-opt=1', 'colorprim=bt2020', 'transfer=smpte2084', 'colormatrix=bt2020nc'), '-pix_fmt', 'yuv420p10le']
  ],
  ['alpha.webm', 'libvpx', ['-pix_fmt', 'yuva420p', '-auto-alt-ref', '0', '-deadline', 'realtime']],
  ['alpha.mov', 'qtrle', ['-pix_fmt', 'argb']],
  ['full-range.mp4', 'libx264', ['-preset', 'ultrafast', '-pix_fmt', 'yuvj420p']],
  ['16-bit.mkv', 'ffv1', ['-pix_fmt', 'yuv444p16le', '-level', '3']],
  ['palette.avi', 'rawvideo', ['-pix_fmt', 'pal8']],
  ['interlaced.mp4', 'libx264', [...x264, '-flags', '+ildct+ilme', '-x264-params', 'tff=1']],
  ['interlaced.mpg', 'mpeg2video', ['-flags', '+ildct+ilme', '-f', 'vob']]
]

const toCase =
  (group) =>
  ([name, encoder, args = [], more = {}]) => ({
    group,
    name: `${name}: ${encoder}`,
    file: name,
    encoder,
    make: clip(['-c:v', encoder, ...args], more),
    frames: more.shown ?? more.frames ?? frameCount
  })

export const codecCases = [
  ...codecs.map(toCase('Videos: codecs and containers')),
  ...pixels.map(toCase('Videos: kinds of pixels'))
]
