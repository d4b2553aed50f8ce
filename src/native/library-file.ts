import fs from 'node:fs'

/*
 * What a file is before it is loaded as a library. The dynamic linker's words say little ("cannot open shared object
 * file" of one for another processor), and of a file that was cut short it ends the process (SIGBUS).
 */

/** A system and a processor, as Node names them. */
export interface Machine {
  platform: string
  arch: string
}

interface LibraryFile extends Machine {
  /** Bytes that its headers speak of. */
  length: number
}

const processors: { elf: Record<number, string>; machO: Record<number, string> } = {
  elf: { 3: 'ia32', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64' },
  machO: { 16777223: 'x64', 16777228: 'arm64' }
}
/** Headers of a library are far shorter; what lies beyond is not looked at. */
const headBytes = 2 ** 16

/** Why a file cannot be loaded as a library by this process, in a sentence; undefined: nothing is seen. */
export function whyNoLibrary(file: string, here: Machine = process): string | undefined {
  let head: Buffer
  let size: number
  try {
    ;({ head, size } = readHead(file))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'it is missing'
    return code === 'EACCES' ? 'this user may not read it (EACCES)' : `it cannot be read: ${message}`
  }
  if (size === 0) return 'it is empty'
  const found = readElf(head) ?? readMachO(head, here)
  if (!found) return head.toString('latin1', 0, 2) === 'MZ' ? 'it is for win32' : 'it is no library'
  const { platform, arch, length } = found
  if (platform !== here.platform || arch !== here.arch)
    return `it is for ${platform}-${arch}; this is Node for ${here.platform}-${here.arch}`
  if (size < length) return `it was cut short, to ${size} of ${length} bytes`
  return undefined
}

/** The C library that this Node is for; undefined where it cannot be told, or where there is one only. */
export function libcHere(): 'glibc' | 'musl' | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const linker = readInterpreter(readHead(process.execPath).head) ?? ''
    if (linker.includes('/ld-musl-')) return 'musl'
    if (linker.includes('/ld-linux')) return 'glibc'
  } catch {
    // this program's file cannot be read: Node's own report tells
  }
  return reportedGlibc() === undefined ? 'musl' : 'glibc'
}

/** The version of glibc that this process runs with. Takes some 20 ms. */
export function reportedGlibc(): string | undefined {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  const before = report.excludeNetwork
  report.excludeNetwork = true // names of peers would be looked up
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  if (before !== undefined) report.excludeNetwork = before
  return header.glibcVersionRuntime
}

function readHead(file: string): { head: Buffer; size: number } {
  const opened = fs.openSync(file, 'r')
  try {
    const { size } = fs.fstatSync(opened)
    const head = Buffer.alloc(headBytes)
    return { head: head.subarray(0, fs.readSync(opened, head, 0, headBytes, 0)), size }
  } finally {
    fs.closeSync(opened)
  }
}

interface Segment {
  type: number
  offset: number
  bytes: number
}

interface ElfHeader {
  machine: number
  segments: Segment[]
  /** Where the table of its sections ends, the last thing in most files. */
  sectionsEnd: number
}

function readElf(head: Buffer): LibraryFile | undefined {
  const header = parseElf(head)
  if (!header) return undefined
  const ends = header.segments.map(({ offset, bytes }) => offset + bytes)
  const arch = processors.elf[header.machine] ?? `a processor of number ${header.machine}`
  return { platform: 'linux', arch, length: Math.max(header.sectionsEnd, ...ends) }
}

/** The program that ELF programs name to load them: glibc's or musl's dynamic linker. */
function readInterpreter(head: Buffer): string | undefined {
  const segment = parseElf(head)?.segments.find(({ type }) => type === 3)
  return segment && head.toString('latin1', segment.offset, segment.offset + segment.bytes - 1)
}

/** Fields of 32 and 64 bits stand at other places; all processors of today's Node but s390x write little-endian. */
function parseElf(head: Buffer): ElfHeader | undefined {
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46) return undefined
  const wide = head[4] === 2
  const little = head[5] === 1
  const half = (at: number) => (little ? head.readUInt16LE(at) : head.readUInt16BE(at))
  const word = (at: number) => (little ? head.readUInt32LE(at) : head.readUInt32BE(at))
  const long = (at: number) => Number(little ? head.readBigUInt64LE(at) : head.readBigUInt64BE(at))
  const size = wide ? long : word
  const [programs, sections] = wide ? [size(32), size(40)] : [size(28), size(32)]
  const [programBytes, programCount, sectionBytes, sectionCount] = [0, 2, 4, 6].map((at) => half((wide ? 54 : 42) + at))
  const segments: Segment[] = []
  for (let i = 0; i < programCount!; i++) {
    const at = programs + i * programBytes!
    if (at + (wide ? 56 : 32) > head.length) break
    segments.push({ type: word(at), offset: size(at + (wide ? 8 : 4)), bytes: size(at + (wide ? 32 : 16)) })
  }
  return { machine: half(18), segments, sectionsEnd: sections + sectionBytes! * sectionCount! }
}

/** One of several processors counts as the one for this process, where that is among them. */
function readMachO(head: Buffer, here: Machine): LibraryFile | undefined {
  if (head.length < 32) return undefined
  const magic = head.readUInt32BE(0)
  const name = (type: number) => processors.machO[type] ?? `a processor of number ${type}`
  if (magic === 0xcffaedfe) return { platform: 'darwin', arch: name(head.readUInt32LE(4)), length: machOLength(head) }
  const count = head.readUInt32BE(4)
  if (magic !== 0xcafebabe || count > 16 || 8 + count * 20 > head.length) return undefined
  const parts = Array.from({ length: count }, (_, i) => {
    const [type, , offset, bytes] = [0, 4, 8, 12].map((at) => head.readUInt32BE(8 + i * 20 + at))
    return { platform: 'darwin', arch: name(type!), length: offset! + bytes! }
  })
  return parts.find(({ arch }) => arch === here.arch) ?? parts[0]
}

function machOLength(head: Buffer): number {
  let end = 0
  let at = 32
  for (let left = head.readUInt32LE(16); left > 0 && at + 56 <= head.length; left--) {
    const [command, bytes] = [head.readUInt32LE(at), head.readUInt32LE(at + 4)]
    const isSegment = command === 0x19
    if (isSegment) end = Math.max(end, Number(head.readBigUInt64LE(at + 40) + head.readBigUInt64LE(at + 48)))
    at += Math.max(bytes, 8)
  }
  return end
}
