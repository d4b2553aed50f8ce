/** What a file is that is not read, by its first bytes, and what to do about it. */
interface Refused {
  /** How the file begins: its first bytes as Latin-1, or what its text without a byte-order mark matches. */
  begins: string[] | RegExp
  why: string
}

const notFollowed = 'it points to other files or addresses, which are not followed: name the media file itself'

/** How an XML document with this root element begins. Comments are matched in one way only, so that none is slow. */
function xml(root: string): RegExp {
  const comment = '<!--(?:(?!-->)[^])*-->'
  return new RegExp(`^(?:<\\?xml[^>]*>)?(?:\\s|${comment}|<!DOCTYPE[^>]*>)*<(?:${root})[\\s>/]`, 'i')
}

const refused: Refused[] = [
  { begins: /^#EXTM3U/i, why: `a playlist (m3u8): ${notFollowed}` },
  { begins: /^\[playlist\]/i, why: `a playlist (pls): ${notFollowed}` },
  { begins: xml('MPD'), why: `a DASH manifest (mpd): ${notFollowed}` },
  { begins: xml('playlist|SmoothStreamingMedia|asx|smil'), why: `a playlist: ${notFollowed}` },
  { begins: /^v=0\r?\n[a-z]=/, why: `a session description (SDP): ${notFollowed}` },
  { begins: /^ffconcat version/, why: `a concat script of ffmpeg: ${notFollowed}` },
  { begins: /^(?:#[^\n]*\n|\s)*file\s+\S/, why: `a concat script of ffmpeg: ${notFollowed}` },
  { begins: /^;FFMETADATA/, why: 'metadata of ffmpeg, with no picture in it' },
  { begins: xml('svg'), why: 'an SVG drawing, which may point to other files and is not rendered: convert it to PNG' },
  { begins: /^(<!doctype\s+html|<html)/i, why: 'an HTML page, perhaps the message of a download that failed' },
  { begins: /^version https:\/\/git-lfs/, why: 'a pointer of Git LFS in place of the file: git lfs pull' },
  { begins: ['\xff\x0a', '\0\0\0\x0cJXL '], why: imageNotRead('JPEG XL') },
  { begins: ['8BPS'], why: imageNotRead('Photoshop') },
  { begins: ['\x76\x2f\x31\x01'], why: imageNotRead('OpenEXR') },
  { begins: ['#?RADIANCE', '#?RGBE'], why: imageNotRead('Radiance HDR') },
  { begins: ['qoif'], why: imageNotRead('QOI') },
  { begins: ['DDS '], why: imageNotRead('DDS') },
  { begins: ['SIMPLE  ='], why: imageNotRead('FITS') },
  { begins: ['%PDF-'], why: 'a PDF document, which is not read: convert its pages to PNG or JPEG' },
  { begins: ['PK\x03\x04'], why: 'a ZIP archive: unpack it first' },
  { begins: ['\x1f\x8b'], why: 'a gzip archive: unpack it first' }
]

function imageNotRead(name: string): string {
  return `a ${name} image, which is not read: convert it to PNG or JPEG`
}

/** Why the file that begins with `head` is not read; undefined where that is to be tried. */
export function refusal(head: Buffer): string | undefined {
  const bytes = head.toString('latin1')
  const text = bytes.replace(/^\xef\xbb\xbf/, '').trimStart()
  const matches = ({ begins }: Refused) =>
    begins instanceof RegExp ? begins.test(text) : begins.some((start) => bytes.startsWith(start))
  return refused.find(matches)?.why
}

const address = /(?:^|\/)([a-z][a-z0-9+.-]+):\/+([^/].*)$/i
const windowsPath = /(?:^|\/)([a-z]:[\\/].*)$/i

/** Why there is no file at `path`, which may be an address that was resolved as a path. */
export function whyMissing(path: string): string {
  const windows = windowsPath.exec(path)
  if (windows) return 'No such file: it is a path of Windows. Write it as it is named on this machine'
  const [, scheme] = address.exec(path) ?? []
  if (scheme?.toLowerCase() === 'file') return 'No such file: leave out file:// and write the path alone'
  if (scheme) return `No such file: ${scheme}:// is an address, and only local files are read. Download it first`
  return 'No such file'
}
