/** What stands in the column `path`: names of every kind, things that are no files, and files that point elsewhere. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { changed, clip, frameCount, holding, x264 } from './make.mjs'

const video = clip([...x264, '-f', 'mp4'])

const named = [
  ['spaces', 'a b  c.mp4'],
  ['quotes', `it's "quoted".mp4`],
  ['a newline', 'new\nline.mp4'],
  ['a tab and a carriage return', 'a\tb\rc.mp4'],
  ['a comma and a semicolon', 'a,b;c.mp4'],
  ['a leading dash', '-y.mp4'],
  ['a dash alone', '-'],
  ['%d, as of a series of images', '%03d.mp4'],
  ['letters beyond ASCII', 'ünïcødé 影片 🎬.mp4'],
  ['a composed and a decomposed letter', 'e\u0301.mp4'],
  ['characters of a shell', '[x]*?$(id)`id`;&|.mp4'],
  ['a backslash', 'back\\slash.mp4'],
  ['a colon, as of a protocol', 'concat:a|b.mp4'],
  ['a name like an address', 'http:x.mp4'],
  ['a name that begins with a dot', '.hidden.mp4'],
  ['blanks at both ends', ' ends .mp4 '],
  ['255 bytes', `${'n'.repeat(251)}.mp4`],
  ['a # and a ?', 'a#b?c.mp4'],
  ['{} and other marks of templates', '{}%s{0}.mp4'],
  ['the word nan', 'nan'],
  ['control characters', 'bell\x07esc\x1b[31m.mp4']
]

const notThere = [
  ['missing', 'missing.mp4', 'No such file'],
  ['an empty cell', '', 'The path is empty'],
  ['a blank', ' ', 'No such file'],
  ['a name of 256 bytes', `${'n'.repeat(252)}.mp4`, 'No such file'],
  ['a path of 5000 characters', 'd/'.repeat(2500), 'No such file'],
  ['a file used as a folder', 'plain.mp4/inside.mp4', 'No such file'],
  ['a link that leads nowhere', 'dangling.mp4', 'No such file', (file) => fs.symlinkSync('nowhere.mp4', file)],
  ['an address', 'https://example.org/a.mp4', 'No such file: https:// is an address, and only local files are read. …'],
  [
    'an address of a bucket',
    's3://bucket/a.mp4',
    'No such file: s3:// is an address, and only local files are read. …'
  ],
  ['file://', 'file:///tmp/a.mp4', 'No such file: leave out file:// and write the path alone'],
  ['a path of Windows', 'C:\\clips\\a.mp4', 'No such file: it is a path of Windows. …'],
  ['~, which is the shell’s', '~/a.mp4', 'No such file']
]

const notRegular = 'It is not a regular file'
const noFiles = [
  ['a directory', 'directory.mp4', 'It is a directory', (file) => fs.mkdirSync(file)],
  ['a FIFO', 'fifo.mp4', notRegular, (file) => execFileSync('mkfifo', [file])],
  ['a socket', 's.mp4', notRegular, makeSocket],
  ['/dev/null', '/dev/null', notRegular],
  ['/dev/zero', '/dev/zero', notRegular],
  ['a link to a device', 'zero-link.mp4', notRegular, (file) => fs.symlinkSync('/dev/zero', file)],
  [
    'a link to itself',
    'loop.mp4',
    'Reading the file failed twice: ELOOP…',
    (file) => fs.symlinkSync(path.basename(file), file)
  ],
  ['0 bytes', 'zero.mp4', 'It has 0 bytes', holding('')],
  ['1 byte', 'one-byte.mp4', 'It is no video or image that FFmpeg knows, …', holding('x')],
  [
    'text named .mp4',
    'text.mp4',
    'It is no video or image that FFmpeg knows, …',
    holding('not a video at all\n'.repeat(50))
  ],
  [
    'random bytes',
    'random.mp4',
    'It is no video or image that FFmpeg knows, …',
    holding(Buffer.from(Array.from({ length: 9999 }, (_, i) => (i * i * 31 + (i >> 3)) % 251)))
  ],
  [
    'subtitles',
    'subtitles.srt',
    'It is of a kind that is not read, or its beginning is damaged (…)',
    holding('1\n00:00:00,000 --> 00:00:01,000\nhello\n')
  ],
  [
    'not readable for this user',
    'forbidden.mp4',
    'EACCES: permission denied…',
    async (file) => {
      await video(file)
      fs.chmodSync(file, 0)
    },
    { skip: () => process.getuid?.() === 0 && 'root may read it' }
  ]
]

const playlist = 'it points to other files or addresses, which are not followed: name the media file itself'
const address = 'http://127.0.0.1:9/a.mp4'
const pointing = [
  [
    'an HLS playlist',
    'list.m3u8',
    `a playlist (m3u8): ${playlist}`,
    `#EXTM3U\n#EXTINF:1,\n${address}\n#EXT-X-ENDLIST\n`
  ],
  [
    'an HLS playlist named .mp4',
    'hls.mp4',
    `a playlist (m3u8): ${playlist}`,
    '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n'
  ],
  [
    'a DASH manifest',
    'manifest.mpd',
    `a DASH manifest (mpd): ${playlist}`,
    '<?xml version="1.0"?>\n<MPD><BaseURL>plain.mp4</BaseURL></MPD>'
  ],
  ['a playlist (pls)', 'list.pls', `a playlist (pls): ${playlist}`, '[playlist]\nFile1=plain.mp4\n'],
  [
    'a concat script',
    'clips.ffconcat',
    `a concat script of ffmpeg: ${playlist}`,
    'ffconcat version 1.0\nfile plain.mp4\n'
  ],
  ['a concat script named .mp4', 'concat.mp4', `a concat script of ffmpeg: ${playlist}`, "file 'plain.mp4'\n"],
  [
    'a session description (SDP)',
    'session.sdp',
    `a session description (SDP): ${playlist}`,
    'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n'
  ],
  [
    'an SVG with an external reference',
    'drawing.svg',
    'an SVG drawing, which may point to other files and is not rendered: convert it to PNG',
    '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/></svg>'
  ],
  [
    'settings of an image series',
    'series.ffmeta',
    'metadata of ffmpeg, with no picture in it',
    ';FFMETADATA1\ntitle=x\n'
  ]
]

/** A socket's name must be short, so that it is made elsewhere. It stays when its owner closes it by its descriptor. */
function makeSocket(file) {
  const short = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 's-')), 's')
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject)
    server.listen(short, () => {
      fs.renameSync(short, file)
      server.close()
      fs.rmdirSync(path.dirname(short))
      resolve()
    })
  })
}

/** A Macintosh alias that names another file, as a reference to where a track's samples lie. */
function aliasReference(name) {
  const bytes = Buffer.alloc(200)
  bytes.writeUInt32BE(bytes.length)
  bytes.write('alis', 4, 'latin1')
  bytes[12 + 10] = 1 // length of the volume's name
  bytes[12 + 10 + 28 + 12] = 1 // and of the file's
  bytes.writeUInt16BE(1, 12 + 10 + 28 + 12 + 64 + 16)
  bytes.writeUInt16BE(1, 12 + 10 + 28 + 12 + 64 + 18)
  const at = 12 + 10 + 28 + 12 + 64 + 20 + 16
  bytes.writeUInt16BE(2, at) // an absolute path follows
  bytes.writeUInt16BE(name.length, at + 2)
  bytes.write(name, at + 4, 'latin1')
  bytes.writeInt16BE(-1, at + 4 + name.length + (name.length % 2))
  return bytes
}

/** A MOV whose samples lie in another file, as its data reference says. Its index stands behind its samples. */
const externalReference = changed(clip(x264), (bytes) => {
  const at = bytes.indexOf('dref') + 12
  const old = bytes.readUInt32BE(at)
  const alias = aliasReference('Disk:plain.mp4')
  for (const type of ['dref', 'dinf', 'minf', 'mdia', 'trak', 'moov']) {
    const size = bytes.lastIndexOf(type, at) - 4
    bytes.writeUInt32BE(bytes.readUInt32BE(size) + alias.length - old, size)
  }
  return Buffer.concat([bytes.subarray(0, at), alias, bytes.subarray(at + old)])
})

export const pathCases = [
  ...named.map(([name, file]) => ({ group: 'Paths: names', name, file, make: video, frames: frameCount })),
  {
    group: 'Paths: names',
    name: 'the same file by two paths, and once more',
    file: 'plain.mp4',
    path: './x/../plain.mp4',
    make: video,
    frames: frameCount
  },
  {
    group: 'Paths: names',
    name: 'a link to a file',
    file: 'link.mp4',
    make: (file) => fs.symlinkSync('plain.mp4', file),
    frames: frameCount
  },
  ...notThere.map(([name, file, says, make]) => ({
    group: 'Paths: no file is there',
    name,
    path: file,
    file,
    make,
    status: 'missing',
    says
  })),
  ...noFiles.map(([name, file, says, make, more]) => ({
    group: 'Paths: what is there is no media file',
    name,
    file,
    path: file,
    make,
    status: 'unreadable',
    says,
    ...more
  })),
  ...pointing.map(([name, file, says, text]) => ({
    group: 'Paths: files that point elsewhere',
    name,
    file,
    make: holding(text),
    status: 'unreadable',
    says
  })),
  {
    group: 'Paths: files that point elsewhere',
    name: 'a MOV with an external data reference',
    file: 'external.mov',
    make: externalReference,
    status: 'no_frames',
    says: '…'
  }
]
