/** Images of every kind, damaged ones, and files that are images no reader of ours takes. */
import fs from 'node:fs'
import zlib from 'node:zlib'
import sharp from 'sharp'
import { writeHeic } from '../helpers/heic.mjs'
import { changed, clip, cut, holding } from './make.mjs'

const [width, height] = [60, 40]
/** A picture with a colour of its own at each place. */
const raw = Buffer.from(
  Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + Math.floor(i / (width * 3)) * 5) % 256)
)
const picture = () => sharp(raw, { raw: { width, height, channels: 3 } })

/** A maker: what sharp makes of the picture. */
const by = (make) => async (file) => fs.writeFileSync(file, await make(picture()).toBuffer())
const single = (args) => clip([...args, '-frames:v', '1'], { frames: 1 })

/** A chunk of a PNG file. */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const bytes = Buffer.alloc(body.length + 8)
  bytes.writeUInt32BE(data.length)
  body.copy(bytes, 4)
  bytes.writeUInt32BE(zlib.crc32 ? zlib.crc32(body) : crc32(body), body.length + 4)
  return bytes
}

function crc32(bytes) {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

/** A PNG file that declares a picture of this size, and holds `rows` rows of it, all black. */
function png(w, h, rows) {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(w, 0)
  header.writeUInt32BE(h, 4)
  header.set([8, 2], 8) // bits, RGB
  const data = zlib.deflateSync(Buffer.alloc((w * 3 + 1) * rows))
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0))
  ])
}

const cannot = 'The image cannot be decoded: …'
const notRead = (what) => ({
  status: 'unreadable',
  says: `a ${what} image, which is not read: convert it to PNG or JPEG`
})

const shown = [
  ['JPEG', 'plain.jpg', by((p) => p.jpeg())],
  ['progressive JPEG', 'progressive.jpg', by((p) => p.jpeg({ progressive: true }))],
  ['gray JPEG', 'gray.jpg', by((p) => p.grayscale().jpeg())],
  ['CMYK JPEG', 'cmyk.jpg', by((p) => p.toColourspace('cmyk').jpeg())],
  [
    'YCCK JPEG (Adobe, inverted)',
    'ycck.jpg',
    changed(
      by((p) => p.toColourspace('cmyk').jpeg()),
      (bytes) => {
        const at = bytes.indexOf('Adobe')
        if (at < 0) throw new Error('there is no Adobe marker')
        bytes[at + 11] = 2
      }
    )
  ],
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => [
    `JPEG with EXIF orientation ${orientation}`,
    `orientation-${orientation}.jpg`,
    by((p) => p.withMetadata({ orientation }).jpeg())
  ]),
  ['JPEG with a colour profile', 'profile.jpg', by((p) => p.withIccProfile('p3').jpeg())],
  [
    'JPEG with bytes behind its end',
    'trailing.jpg',
    changed(
      by((p) => p.jpeg()),
      (bytes) => Buffer.concat([bytes, Buffer.alloc(999, 'x')])
    )
  ],
  ['JPEG named .mp4', 'jpeg-named.mp4', by((p) => p.jpeg())],
  ['PNG', 'plain.png', by((p) => p.png())],
  ['PNG with a palette', 'palette.png', by((p) => p.png({ palette: true }))],
  ['PNG with alpha', 'alpha.png', by((p) => p.ensureAlpha(0.5).png())],
  ['PNG, gray', 'gray.png', by((p) => p.grayscale().toColourspace('b-w').png())],
  ['PNG, black and white', 'bits.png', single(['-pix_fmt', 'monob'])],
  ['PNG, gray and alpha', 'gray-alpha.png', single(['-pix_fmt', 'ya8'])],
  ['PNG, 16-bit RGB', '16-bit.png', single(['-pix_fmt', 'rgb48be'])],
  ['PNG, 16-bit RGBA', '16-bit-alpha.png', single(['-pix_fmt', 'rgba64be'])],
  ['PNG, 16-bit gray', '16-bit-gray.png', single(['-pix_fmt', 'gray16be'])],
  ['PNG, interlaced', 'interlaced.png', by((p) => p.png({ progressive: true }))],
  ['PNG of 1 × 1', '1x1.png', holding(png(1, 1, 1))],
  ['PNG of one row', '1-row.png', holding(png(500, 1, 1))],
  ['PNG of one column', '1-column.png', holding(png(1, 500, 500))],
  ['PNG of 20000 × 30', 'long.png', holding(png(20000, 30, 30))],
  ['WebP', 'plain.webp', by((p) => p.webp())],
  ['WebP, lossless', 'lossless.webp', by((p) => p.webp({ lossless: true }))],
  ['WebP with alpha', 'alpha.webp', by((p) => p.ensureAlpha(0.5).webp())],
  ['GIF of one frame', 'still.gif', by((p) => p.gif())],
  [
    'a GIF that declares 65535 × 65535',
    'bomb.gif',
    changed(
      by((p) => p.gif()),
      (bytes) => {
        bytes.writeUInt32LE(0xffffffff, 6)
      }
    )
  ],
  ['TIFF', 'plain.tiff', by((p) => p.tiff())],
  ['TIFF, 16-bit', '16-bit.tiff', single(['-pix_fmt', 'rgb48le'])],
  ['TIFF, CMYK', 'cmyk.tiff', by((p) => p.toColourspace('cmyk').tiff())],
  [
    'TIFF of several pages: the first',
    'pages.tiff',
    async (file) => {
      const pages = await Promise.all(
        [1, 2, 3].map((n) =>
          picture()
            .modulate({ brightness: n / 2 })
            .png()
            .toBuffer()
        )
      )
      await sharp(pages, { join: { animated: true } })
        .tiff()
        .toFile(file)
    }
  ],
  ['BMP', 'plain.bmp', single(['-pix_fmt', 'bgr24'])],
  ['BMP with a palette', 'palette.bmp', single(['-pix_fmt', 'pal8'])],
  ['PPM', 'plain.ppm', single([])],
  ['PGM', 'plain.pgm', single(['-pix_fmt', 'gray'])],
  ['PBM', 'plain.pbm', single(['-pix_fmt', 'monow'])],
  ['PAM', 'plain.pam', single(['-pix_fmt', 'rgba'])],
  ['JPEG 2000', 'plain.jp2', single(['-c:v', 'jpeg2000', '-pix_fmt', 'rgb24'])],
  ['AVIF', 'plain.avif', by((p) => p.avif())],
  [
    'HEIC, a grid of tiles',
    'grid.heic',
    (file) => writeHeic(file, Buffer.alloc(128 * 64 * 3, 90), { tile: 64, columns: 2, rows: 1 }),
    { frames: 1, encoder: 'libx265' }
  ]
]

const moves = [
  ['animated PNG', 'moving.png', clip(['-f', 'apng', '-plays', '0']), { frames: 10 }],
  ['animated GIF', 'moving.gif', clip([]), { frames: 10 }],
  ['animated WebP', 'moving.webp', clip(['-c:v', 'libwebp_anim', '-loop', '0']), { frames: 10 }],
  ['more frames asked for than an animation has', 'two.gif', clip([], { frames: 2 }), { frames: 2 }]
]

const adobe = by((p) => p.png())
const refused = [
  [
    'truncated JPEG',
    'cut.jpg',
    cut(
      by((p) => p.jpeg()),
      0.6
    ),
    { says: cannot }
  ],
  [
    'truncated PNG',
    'cut.png',
    cut(
      by((p) => p.png()),
      0.6
    ),
    { says: 'truncated: …' }
  ],
  [
    'truncated WebP',
    'cut.webp',
    cut(
      by((p) => p.webp()),
      0.6
    ),
    { says: 'truncated: …' }
  ],
  [
    'truncated GIF',
    'cut.gif',
    cut(
      by((p) => p.gif()),
      0.6
    ),
    { says: 'truncated: …' }
  ],
  [
    'truncated TIFF',
    'cut.tiff',
    cut(
      by((p) => p.tiff()),
      0.6
    ),
    { says: '…' }
  ],
  [
    'truncated AVIF',
    'cut.avif',
    cut(
      by((p) => p.avif()),
      0.6
    ),
    { says: '…' }
  ],
  [
    'truncated BMP',
    'cut.bmp',
    cut(single(['-pix_fmt', 'bgr24']), 0.6),
    { says: 'The image cannot be decoded: it is damaged or ends early' }
  ],
  [
    'truncated PPM',
    'cut.ppm',
    cut(single([]), 0.6),
    { says: 'The image cannot be decoded: it is damaged or ends early' }
  ],
  [
    'truncated JPEG 2000',
    'cut.jp2',
    cut(single(['-c:v', 'jpeg2000', '-pix_fmt', 'rgb24']), 0.6),
    { says: 'The image cannot be decoded: it is damaged or ends early' }
  ],
  [
    'a JPEG whose pixels were overwritten',
    'damaged.jpg',
    changed(
      by((p) => p.jpeg()),
      (bytes) => {
        const start = bytes.indexOf('\xff\xda', 0, 'latin1') + 14
        bytes.fill(0xff, start, bytes.length - 2)
      }
    ),
    { says: cannot }
  ],
  [
    'a PNG whose pixels were overwritten',
    'damaged.png',
    changed(adobe, (bytes) => {
      const start = bytes.indexOf('IDAT') + 4
      bytes.fill(0x5a, start + 20, bytes.length - 20)
    }),
    { says: cannot }
  ],
  ['a JPEG signature alone', 'signature.jpg', holding(Buffer.from('ffd8ffe0', 'hex')), { says: '…' }],
  [
    'a PNG that declares 60000 × 60000 (decompression bomb)',
    'bomb.png',
    holding(png(60000, 60000, 10)),
    { says: cannot }
  ],
  ['a PNG of 0 × 0', '0x0.png', holding(png(0, 0, 1)), { says: cannot }],
  ['lossless JPEG', 'lossless.jpg', single(['-c:v', 'ljpeg', '-pix_fmt', 'bgr24', '-f', 'image2']), { says: cannot }],
  [
    'a BMP that declares 2 billion rows',
    'bomb.bmp',
    changed(single(['-pix_fmt', 'bgr24']), (bytes) => {
      bytes.writeInt32LE(0x7fffffff, 22)
    }),
    { says: 'The image cannot be decoded: it is damaged or ends early' }
  ],
  ['JPEG XL', 'plain.jxl', single([]), { ...notRead('JPEG XL'), encoder: 'libjxl' }],
  ['OpenEXR', 'plain.exr', single(['-pix_fmt', 'gbrpf32le']), notRead('OpenEXR')],
  ['QOI', 'plain.qoi', single([]), notRead('QOI')],
  ['FITS', 'plain.fits', single(['-pix_fmt', 'gray']), notRead('FITS')],
  ['Photoshop', 'plain.psd', holding('8BPS\0\x01'), notRead('Photoshop')],
  ['DDS', 'plain.dds', holding('DDS \x7c\0\0\0'), notRead('DDS')],
  ['Radiance HDR', 'plain.hdr', holding('#?RADIANCE\n'), notRead('Radiance HDR')],
  [
    'TGA, PCX and other kinds without a signature',
    'plain.tga',
    single([]),
    { says: 'It is of a kind that is not read, or its beginning is damaged (…)' }
  ],
  ['PDF', 'page.pdf', holding('%PDF-1.7\n'), { says: 'a PDF document, which is not read: …' }],
  ['ZIP', 'images.zip', holding('PK\x03\x04'), { says: 'a ZIP archive: unpack it first' }],
  ['gzip', 'clip.mp4.gz', holding(zlib.gzipSync('clip')), { says: 'a gzip archive: unpack it first' }],
  [
    'an HTML page named .jpg',
    'page.jpg',
    holding('<!DOCTYPE html>\n<html><body>404</body></html>'),
    { says: 'an HTML page, perhaps the message of a download that failed' }
  ],
  [
    'a pointer of Git LFS',
    'pointer.mp4',
    holding('version https://git-lfs.github.com/spec/v1\n'),
    { says: 'a pointer of Git LFS in place of the file: git lfs pull' }
  ]
]

const toCase =
  (group, otherwise) =>
  ([name, file, make, expected]) => ({ group, name, file, make, ...otherwise, ...expected })

export const imageCases = [
  ...shown.map(toCase('Images: one picture', { frames: 1 })),
  ...moves.map(toCase('Images: animated, as videos')),
  ...refused.map(toCase('Images: damaged, and kinds that are not read', { status: 'unreadable' }))
]
