import { endsEarly, type Extent } from './extent'

/** Bytes at the start of a file in which its duration stands. */
const headBytes = 64 * 1024

/** What is missing of an FLV file's video, where it does not end with a whole tag or has not the size that it tells. */
export async function flvShortfall({ file, dataEnd, lastEnd }: Extent): Promise<string | undefined> {
  const head = await file.read(0, headBytes)
  const promised = metadataNumber(head, 'duration')
  const size = metadataNumber(head, 'filesize')
  const isWhole = dataEnd === file.size && (await endsWithTag()) && !(size !== undefined && size > file.size)
  return isWhole ? undefined : endsEarly(lastEnd, promised)

  /** The file's last number is the size of its last tag, which begins with its kind and the size of its data. */
  async function endsWithTag(): Promise<boolean> {
    const size = (await file.read(file.size - 4, 4)).readUInt32BE(0)
    if (size < 11 || size + 4 > file.size) return false
    const tag = await file.read(file.size - 4 - size, 4)
    return [8, 9, 18].includes(tag[0]! & 0x1f) && tag.readUIntBE(1, 3) === size - 11
  }
}

/** A number of FLV's metadata: its name, the type 0, and 8 bytes. */
function metadataNumber(head: Buffer, name: string): number | undefined {
  const key = Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([0])])
  const at = head.indexOf(key)
  return at < 0 || at + key.length + 8 > head.length ? undefined : head.readDoubleBE(at + key.length)
}

const filePropertiesGuid = Buffer.from('a1dcab8c47a9cf118ee400c00c205365', 'hex')

/** What is missing of an ASF (WMV) file's video, where the file is shorter than its header says. */
export async function asfShortfall({ file, dataEnd, lastEnd }: Extent): Promise<string | undefined> {
  const head = await file.read(0, headBytes)
  const at = head.indexOf(filePropertiesGuid)
  if (at < 0 || at + 104 > head.length) return undefined
  const isBroadcast = (head.readUInt32LE(at + 88) & 1) !== 0
  const size = Number(head.readBigUInt64LE(at + 40))
  if (isBroadcast || size <= dataEnd) return undefined
  // The play duration is in units of 100 ns and counts the preroll, which is in milliseconds.
  const playTime = Number(head.readBigUInt64LE(at + 64)) / 1e7 - Number(head.readBigUInt64LE(at + 80)) / 1e3
  return endsEarly(lastEnd, playTime)
}
