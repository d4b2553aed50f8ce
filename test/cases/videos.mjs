/** Videos that are odd, damaged or cut, and files without one. */
import fs from 'node:fs'
import { changed, clip, cut, ffmpeg, frameCount, holding, moving, tone, x264 } from './make.mjs'

const faststart = clip([...x264, '-movflags', '+faststart'])
const mp4 = clip(x264)
const mkv = clip(x264)
const mpeg4Avi = clip(['-c:v', 'mpeg4', '-g', '5'])
const flv = clip(['-c:v', 'flv', '-g', '5'])
const ts = clip(x264)

const truncated = 'truncated: …'

/** A maker: what the last of `steps` makes of the files that those before it made. */
const staged =
  (...steps) =>
  async (file) => {
    const last = steps.pop()
    const parts = steps.map(([extension], i) => `${file}.${i}.${extension}`)
    for (const [i, [, make]] of steps.entries()) await make(parts[i])
    await last(file, ...parts)
    for (const part of parts) fs.rmSync(part)
  }
const join = (...makes) =>
  staged(...makes.map((make) => ['ts', make]), (file, ...parts) =>
    fs.writeFileSync(file, Buffer.concat(parts.map((part) => fs.readFileSync(part))))
  )

const fill = (from, to, value) => (bytes) =>
  void bytes.fill(value, Math.floor(bytes.length * from), Math.floor(bytes.length * to))

/** Overwrites the 32-bit number `offset` bytes after the box's type. */
const boxNumber = (type, offset, number) => (bytes) => void bytes.writeUInt32BE(number, bytes.indexOf(type) + offset)

/** The element's id as Matroska writes it, and what replaces it: an element that readers skip. */
const voidElement = (id) => (bytes) => {
  const at = bytes.lastIndexOf(Buffer.from(id, 'hex'))
  if (at < 0) throw new Error(`no element ${id}`)
  // The Void element's id has one byte, so that its length takes the three that are left.
  const size = bytes[at + 4] & 0x80 ? bytes[at + 4] & 0x7f : bytes.readUInt32BE(at + 4) & 0x0fffffff
  bytes[at] = 0xec
  bytes.writeUIntBE(0x200000 + size + (bytes[at + 4] & 0x80 ? 1 : 4), at + 1, 3)
}

const odd = [
  ['1 frame', 'one.mp4', clip(x264, { frames: 1 }), { frames: 1 }],
  ['2 frames where 3 are wanted', 'two.mp4', clip(x264, { frames: 2 }), { frames: 2 }],
  [
    'variable frame rate',
    'vfr.mkv',
    clip(['-vf', "select='not(mod(n,3))'", '-vsync', 'vfr', ...x264], { frames: 30 }),
    { frames: 10 }
  ],
  ['no duration in the header (MKV written live)', 'live.mkv', clip([...x264, '-live', '1', '-f', 'matroska'])],
  ['MKV without cues', 'no-cues.mkv', changed(mkv, voidElement('1c53bb6b'))],
  ['fragmented MP4', 'fragments.mp4', clip([...x264, '-movflags', 'frag_keyframe+empty_moov'])],
  ['index at the start', 'faststart.mp4', faststart],
  ['nonzero start time', 'late.ts', clip([...x264, '-output_ts_offset', '300'])],
  ['times below zero', 'negative.mkv', clip([...x264, '-output_ts_offset', '-0.2', '-avoid_negative_ts', 'disabled'])],
  [
    'edit list: the first 6 frames are hidden',
    'edit-list.mp4',
    staged(['mp4', clip([...x264, '-g', '50'], { frames: 16 })], (file, part) =>
      ffmpeg('-ss', '0.24', '-i', part, '-c', 'copy', file)
    )
  ],
  [
    'the video begins 2 s after the sound',
    'late-video.mp4',
    staged(['mkv', mkv], (file, part) =>
      ffmpeg('-itsoffset', '2', '-i', part, ...tone(3), '-c:v', 'copy', '-c:a', 'aac', file)
    )
  ],
  ['audio longer than video', 'longer-sound.mp4', clip([...x264, '-c:a', 'aac'], { before: tone(3) })],
  ['video longer than audio', 'shorter-sound.mp4', clip([...x264, '-c:a', 'aac'], { before: tone(0.1) })],
  ...[90, 180, 270].map((degrees) => [
    `rotation metadata: ${degrees}°`,
    `turned-${degrees}.mp4`,
    staged(['mp4', mp4], (file, part) => ffmpeg('-i', part, '-c', 'copy', '-metadata:s:v:0', `rotate=${degrees}`, file))
  ]),
  ['non-square pixels', 'anamorphic.mp4', clip([...x264, '-aspect', '16:9'])],
  ['odd sizes, 4:4:4', 'odd.mkv', clip(['-c:v', 'ffv1', '-pix_fmt', 'yuv444p'], { size: '65x49' })],
  ['odd sizes, 4:2:0', 'odd-420.mkv', clip(['-c:v', 'ffv1', '-pix_fmt', 'yuv420p'], { size: '65x49' })],
  ['1 × 1', '1x1.mkv', clip(['-vf', 'format=yuv444p,crop=1:1:exact=1', '-c:v', 'ffv1', '-pix_fmt', 'yuv444p'])],
  ['1 × 48', '1x48.mkv', clip(['-vf', 'format=yuv444p,crop=1:48:exact=1', '-c:v', 'ffv1', '-pix_fmt', 'yuv444p'])],
  ['8K', '8k.mp4', clip(['-c:v', 'mpeg4', '-vf', 'scale=7680:4320:flags=neighbor'], { frames: 1 }), { frames: 1 }],
  ['4096 × 64', 'wide.mp4', clip(x264, { size: '4096x64', frames: 2 }), { frames: 2 }],
  [
    '1000 frames a second',
    'fast.mkv',
    clip(['-vf', 'settb=1/1000,setpts=N', '-vsync', 'passthrough', '-enc_time_base', '1/1000', ...x264])
  ],
  ['1 frame in 10 s', 'slow.mkv', clip(['-vf', 'setpts=N*10/TB', '-vsync', 'vfr', ...x264])],
  [
    'size changes in mid-stream',
    'resized.ts',
    join(clip(x264), clip([...x264, '-output_ts_offset', '1'], { size: '96x64' })),
    { frames: 2 * frameCount }
  ],
  ['recordings joined as they are (times start anew)', 'joined.ts', join(ts, ts), { frames: 2 * frameCount }],
  [
    'several video streams: the first',
    'two-videos.mkv',
    (file) => ffmpeg(...moving(), ...moving(4, '96x64'), '-map', '0', '-map', '1', ...x264, file)
  ],
  [
    'cover art before the video',
    'cover-and-video.mp4',
    staged(['jpg', clip(['-frames:v', '1'])], ['mp4', mp4], (file, cover, video) =>
      ffmpeg('-i', cover, '-i', video, '-map', '0', '-map', '1', '-c', 'copy', '-disposition:v:0', 'attached_pic', file)
    )
  ],
  [
    'subtitles, chapters and data beside the video',
    'full.mkv',
    staged(
      ['srt', holding('1\n00:00:00,000 --> 00:00:00,200\nhello\n')],
      ['txt', holding(';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=one\n')],
      (file, text, chapters) =>
        ffmpeg(...moving(), '-i', text, '-i', chapters, '-map_metadata', '2', ...x264, '-map', '0', '-map', '1', file)
    )
  ],
  [
    'intra refresh instead of key frames',
    'refresh.mp4',
    clip([...x264, '-g', '50', '-x264-params', 'intra-refresh=1'])
  ],
  [
    'open groups of pictures',
    'open.mkv',
    clip([...x264, '-preset', 'veryfast', '-bf', '2', '-x264-params', 'open-gop=1'])
  ],
  ['frames without times', 'untimed.avi', clip(['-c:v', 'mpeg4', '-bf', '2'])],
  [
    'a name that says another container',
    'matroska.mp4',
    (file) => ffmpeg(...moving(), ...x264, '-f', 'matroska', file)
  ],
  ['no extension at all', 'noextension', (file) => ffmpeg(...moving(), ...x264, '-f', 'mp4', file)],
  ['bytes behind the end', 'padded.mp4', changed(mp4, (bytes) => Buffer.concat([bytes, Buffer.alloc(999, 'x')]))],
  [
    'overstated number of frames in the header (AVI)',
    'overstated.avi',
    changed(mpeg4Avi, (bytes) => {
      bytes.writeUInt32LE(9999, bytes.indexOf('avih') + 8 + 16)
      bytes.writeUInt32LE(9999, bytes.indexOf('strh') + 8 + 32)
    })
  ],
  ['overstated duration in the header (MP4)', 'overstated.mp4', changed(mp4, boxNumber('mvhd', 20, 99_999_999))],
  [
    'overstated duration in the header (FLV)',
    'overstated.flv',
    changed(flv, (bytes) => {
      bytes.writeDoubleBE(9999, bytes.indexOf('duration') + 9)
    })
  ]
]

const damaged = [
  [
    'corrupt group of pictures in the middle (MKV)',
    'damaged.mkv',
    changed(clip(x264, { frames: 50 }), fill(0.45, 0.55, 0x5a)),
    {
      frames: 'some'
    }
  ],
  [
    'corrupt packets in the middle (TS)',
    'damaged.ts',
    changed(clip(x264, { frames: 50 }), fill(0.45, 0.5, 0x5a)),
    {
      frames: 'some'
    }
  ],
  [
    'corrupt pictures in the middle (MP4)',
    'damaged.mp4',
    changed(clip(x264, { frames: 50 }), (bytes) => {
      const data = bytes.indexOf('mdat') + 4
      const size = bytes.readUInt32BE(data - 8)
      bytes.fill(0x5a, data + Math.floor(size * 0.4), data + Math.floor(size * 0.5))
    }),
    { frames: 50 }
  ],
  [
    'truncated, index at the end',
    'cut-last.mp4',
    cut(mp4, 0.6),
    {
      status: 'unreadable',
      says: 'truncated: its index (moov) is missing…'
    }
  ],
  [
    'truncated, index at the start',
    'cut-first.mp4',
    cut(faststart, 0.5, 'mdat'),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  [
    'truncated right behind the index',
    'cut-index.mp4',
    cut(faststart, 0.001, 'mdat'),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  [
    'truncated MOV',
    'cut.mov',
    cut(clip(['-c:v', 'mjpeg', '-movflags', '+faststart']), 0.5, 'mdat'),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  [
    'truncated fragmented MP4',
    'cut-fragments.mp4',
    cut(clip([...x264, '-movflags', 'frag_keyframe+empty_moov']), 0.6),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  ['truncated MKV', 'cut.mkv', cut(mkv, 0.6), { status: 'unreadable', says: truncated }],
  [
    'truncated WebM',
    'cut.webm',
    cut(clip(['-c:v', 'libvpx', '-deadline', 'realtime']), 0.6),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  ['truncated AVI', 'cut.avi', cut(mpeg4Avi, 0.5, 'movi'), { status: 'unreadable', says: truncated }],
  ['truncated FLV', 'cut.flv', cut(flv, 0.6), { status: 'unreadable', says: truncated }],
  [
    'truncated WMV',
    'cut.wmv',
    cut(clip(['-c:v', 'wmv2', '-g', '5'], { frames: 50 }), 0.6),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  ['truncated animated GIF', 'cut-animated.gif', cut(clip([]), 0.6), { status: 'unreadable', says: truncated }],
  [
    'truncated transport stream, which promises nothing',
    'cut.ts',
    cut(clip(x264, { frames: 50 }), 0.5),
    {
      frames: 'some'
    }
  ],
  [
    'truncated bare stream, which promises nothing',
    'cut.h264',
    cut(clip(x264, { frames: 50 }), 0.5),
    { frames: 'some' }
  ],
  [
    'an interrupted download: zeros to the end',
    'zeros.mp4',
    changed(faststart, fill(0.7, 1, 0)),
    {
      status: 'unreadable',
      says: truncated
    }
  ],
  [
    'zeros from the first byte on',
    'all-zeros.mp4',
    holding(Buffer.alloc(5000)),
    {
      status: 'unreadable',
      says: 'It is no video or image that FFmpeg knows, or its beginning is damaged (…)'
    }
  ],
  [
    'the index says a codec that there is none of',
    'no-codec.mp4',
    changed(faststart, (bytes) => {
      bytes.write('xyzw', bytes.indexOf('avc1', bytes.indexOf('stsd')), 'latin1')
    }),
    { status: 'no_frames', says: 'None of its frames can be decoded: …' }
  ],
  [
    'an index of frames that lie beyond the file',
    'far-chunks.mp4',
    changed(faststart, (bytes) => {
      bytes.writeUInt32BE(0x7fffffff, bytes.indexOf('stco') + 12)
    }),
    { status: 'unreadable', says: '…' }
  ],
  [
    'an edit list that shows none of the frames',
    'none-shown.mp4',
    changed(clip([...x264, '-bf', '0'], { frames: 1 }), boxNumber('elst', 16, 1_000_000)),
    { status: 'no_frames', says: 'It has no video frames' }
  ],
  [
    'an index with 4 billion entries',
    'many-entries.mp4',
    changed(faststart, boxNumber('stsz', 12, 0xffffffff)),
    {
      status: 'unreadable',
      says: '…'
    }
  ],
  [
    'a declared picture of 65535 × 65535',
    'huge.mp4',
    changed(clip(['-c:v', 'mjpeg']), (bytes) => {
      // The frame header of each picture within.
      for (let at = bytes.indexOf('\xff\xc0', 0, 'latin1'); at > 0; at = bytes.indexOf('\xff\xc0', at + 1, 'latin1')) {
        bytes.writeUInt32BE(0xffffffff, at + 5)
      }
    }),
    { status: 'no_frames', says: '…' }
  ]
]

const asCover = ['-map', '0', '-map', '1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic']
const coverArt = (file) => ffmpeg(...tone(1), ...moving(1), ...asCover, file)

const withoutVideo = [
  ['audio only (M4A)', 'audio.m4a', (file) => ffmpeg(...tone(1), file)],
  ['audio only (WAV)', 'audio.wav', (file) => ffmpeg(...tone(1), file)],
  ['audio only (MP3)', 'audio.mp3', (file) => ffmpeg(...tone(1), file)],
  ['audio only (OGG)', 'audio.ogg', (file) => ffmpeg(...tone(1), '-c:a', 'flac', file)],
  ['audio only (MKV)', 'audio.mkv', (file) => ffmpeg(...tone(1), '-c:a', 'aac', file)],
  ['cover art as the only video stream (MP3)', 'cover.mp3', coverArt],
  ['cover art as the only video stream (M4A)', 'cover.m4a', coverArt],
  [
    'subtitles only (MKV)',
    'subtitles.mkv',
    staged(['srt', holding('1\n00:00:00,000 --> 00:00:01,000\nhello\n')], (file, text) => ffmpeg('-i', text, file))
  ],
  [
    'data only (TS)',
    'data.ts',
    staged(['klv', holding(Buffer.alloc(4000, 'data'))], (file, part) =>
      ffmpeg('-f', 'data', '-i', part, '-map', '0', '-c', 'copy', '-f', 'mpegts', file)
    )
  ],
  ['a video track without a sample', 'empty.mp4', (file) => ffmpeg(...moving(), ...x264, '-t', '0', '-f', 'mp4', file)]
]

const toCase =
  (group, otherwise) =>
  ([name, file, make, expected = {}]) => ({
    group,
    name,
    file,
    make,
    ...(expected.status ? {} : otherwise),
    ...expected
  })

export const videoCases = [
  ...odd.map(toCase('Videos: odd and sound', { frames: frameCount })),
  ...damaged.map(toCase('Videos: damaged and cut')),
  ...withoutVideo.map(toCase('Videos: there is none', { status: 'no_frames', says: 'It has no video stream' }))
]
