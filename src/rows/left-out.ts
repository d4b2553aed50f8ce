/** Why something in a folder is not listed. */
export type LeaveReason = 'hidden' | 'unreadable' | 'broken' | 'unnamable' | 'special' | 'loop' | 'repeated'

const sentences: Record<LeaveReason, [one: string, many: string]> = {
  hidden: ['hidden file or folder is left out', 'hidden files and folders are left out'],
  unreadable: ['folder or file cannot be read and is left out', 'folders or files cannot be read and are left out'],
  broken: ['link leads nowhere', 'links lead nowhere'],
  unnamable: [
    'name is not UTF-8, so that no table can hold it, and is left out: rename it',
    'names are not UTF-8, so that no table can hold them, and are left out: rename them'
  ],
  special: [
    'name of a video or image is that of a pipe, a socket or a device',
    'names of videos or images are those of pipes, sockets or devices'
  ],
  loop: [
    'link leads to a folder that it lies in and is not followed',
    'links lead to folders that they lie in and are not followed'
  ],
  repeated: [
    'folder is reached twice and listed once, not under this name',
    'folders are reached twice and listed once, not under these names'
  ]
}

/** Names that are told of each reason. */
const namesTold = 5

/** What a listing has left out: counted, and some of it named. */
export class LeftOut {
  readonly #found = new Map<LeaveReason, { count: number; names: string[] }>()

  /** `name` as text, or as bytes where it is none; `why` is the system's word. */
  add(reason: LeaveReason, name: string | Buffer, why?: string): void {
    const found = this.#found.get(reason) ?? { count: 0, names: [] }
    this.#found.set(reason, found)
    if (found.count++ >= namesTold) return
    found.names.push(`${quote(name)}${why === undefined ? '' : ` (${why})`}`)
  }

  /** A sentence for each reason, in the order of the first of each. */
  sentences(): string[] {
    return [...this.#found].map(([reason, { count, names }]) => {
      const [one, many] = sentences[reason]
      const more = count > names.length ? ', …' : ''
      return `${count} ${count === 1 ? one : many} (${names.join(', ')}${more})`
    })
  }
}

/** A name in one line, in which every character can be seen. */
function quote(name: string | Buffer): string {
  if (typeof name === 'string') return JSON.stringify(name)
  const bytes = Array.from(name, (byte) => {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
    return isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
  })
  return `"${bytes.join('')}"`
}
