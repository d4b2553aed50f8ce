/**
 * A disk in memory that does what a real one may do: each call may fail, and after a power cut it holds what was
 * brought to it with fsync and of the rest any part: writes are lost, torn, reordered or leave zeros, and names that
 * were given, changed or taken away are as before unless their folder was synced.
 */
import path from 'node:path'

const said = {
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EROFS: 'read-only file system',
  ESHUTDOWN: 'the process is dead'
}

/** An error as Node makes it. */
export function systemError(code, syscall, name) {
  const where = name === undefined ? '' : ` '${name}'`
  return Object.assign(new Error(`${code}: ${said[code]}, ${syscall}${where}`), { code, syscall, path: name })
}

export class SimulatedDisk {
  /** True from a crash on until `restart`: every call fails and changes nothing. */
  dead = false
  /** Descriptors that are open, by number. */
  #open = new Map()
  #next = { descriptor: 1 << 20, inode: 2 }
  /** Changes of names that no sync of a folder has brought to the disk. */
  #names = []
  #root

  /**
   * `judge` is asked before each call with its kind and path, and answers with an error's code, `crash`, or nothing.
   * `forgets` says of a path whether syncing it is without effect, as on a disk that lies.
   */
  constructor({ random, now = () => 0, judge = () => undefined, forgets = () => false }) {
    this.random = random
    this.now = now
    this.judge = judge
    this.forgets = forgets
    this.#root = this.#folder()
  }

  #inode(fields) {
    return { inode: this.#next.inode++, mode: 0o644, time: this.now(), links: 1, ...fields }
  }

  #folder() {
    return this.#inode({ kind: 'folder', mode: 0o755, names: new Map(), durable: new Map() })
  }

  /**
   * Each call comes through here. `part`: what it may have done when the process dies in it. Errors of calls on a
   * descriptor do not name the file.
   */
  #call(kind, name, { part = () => undefined, isOpen = false } = {}) {
    const shown = isOpen ? undefined : name
    if (this.dead) throw systemError('ESHUTDOWN', kind, shown)
    const verdict = this.judge(kind, name)
    if (!verdict) return
    if (verdict !== 'crash') throw systemError(verdict, kind, shown)
    part()
    this.dead = true
    throw systemError('ESHUTDOWN', kind, name)
  }

  #find(name, syscall, { follow = true } = {}) {
    let at = this.#root
    const parts = name.split('/').filter(Boolean)
    for (const [i, part] of parts.entries()) {
      if (at.kind !== 'folder') throw systemError('ENOTDIR', syscall, name)
      const next = at.names.get(part)
      if (!next) throw systemError('ENOENT', syscall, name)
      const isLast = i === parts.length - 1
      at = next.kind === 'link' && (follow || !isLast) ? this.#find(next.target, syscall) : next
    }
    return at
  }

  #parent(name, syscall) {
    const folder = this.#find(path.dirname(name), syscall)
    if (folder.kind !== 'folder') throw systemError('ENOTDIR', syscall, name)
    return { folder, base: path.basename(name) }
  }

  /** Changes names at once and together: each `[folder, name, inode or undefined]`. */
  #rename(...changes) {
    for (const [folder, name, inode] of changes) {
      if (inode) folder.names.set(name, inode)
      else folder.names.delete(name)
      folder.time = this.now()
    }
    this.#names.push(changes)
  }

  /** Brings a change to the disk; what came of the same names before it can come no more. */
  #settle(changes) {
    const isSame = ([folder, name]) => changes.some((change) => change[0] === folder && change[1] === name)
    for (const earlier of this.#names.slice(0, this.#names.indexOf(changes)))
      earlier.splice(0, Infinity, ...earlier.filter((change) => !isSame(change)))
    for (const [folder, name, inode] of changes) {
      if (inode) folder.durable.set(name, inode)
      else folder.durable.delete(name)
    }
  }

  // Calls, named as the system names them.

  open(name, flags = 'r', mode = 0o666) {
    const { write, create, exclusive, truncate } = flagsOf(flags)
    this.#call(create || write ? 'open' : 'open for reading', name)
    let inode
    try {
      inode = this.#find(name, 'open')
    } catch (error) {
      if (error.code !== 'ENOENT' || !create) throw error
    }
    if (inode && exclusive) throw systemError('EEXIST', 'open', name)
    if (inode?.kind === 'folder' && write) throw systemError('EISDIR', 'open', name)
    if (!inode) {
      const { folder, base } = this.#parent(name, 'open')
      inode = this.#inode({
        kind: 'file',
        mode: mode & 0o755,
        bytes: Buffer.alloc(0),
        durable: Buffer.alloc(0),
        writes: []
      })
      this.#rename([folder, base, inode])
    } else if (truncate && inode.kind === 'file') {
      this.#change(inode, { length: 0 })
    }
    const descriptor = this.#next.descriptor++
    this.#open.set(descriptor, { inode, name, position: 0, write })
    return descriptor
  }

  #file(descriptor, syscall) {
    const file = this.#open.get(descriptor)
    if (!file) throw systemError('EBADF', syscall)
    return file
  }

  close(descriptor) {
    if (this.dead) throw systemError('ESHUTDOWN', 'close')
    this.#file(descriptor, 'close')
    this.#open.delete(descriptor)
  }

  read(descriptor, buffer, offset = 0, length = buffer.length - offset, position = null) {
    const file = this.#file(descriptor, 'read')
    this.#call('read', file.name, { isOpen: true })
    const at = position ?? file.position
    const got = file.inode.bytes.subarray(at, at + length)
    got.copy(buffer, offset)
    if (position === null) file.position += got.length
    return got.length
  }

  write(descriptor, buffer, offset = 0, length = buffer.length - offset, position = null) {
    const file = this.#file(descriptor, 'write')
    const at = position ?? file.position
    const bytes = Buffer.from(buffer.subarray(offset, offset + length))
    const part = () => this.#change(file.inode, { at, bytes: this.#cut(bytes) })
    this.#call('write', file.name, { part, isOpen: true })
    if (!file.write) throw systemError('EBADF', 'write')
    // A write may take a part, as it does where a disk is nearly full.
    const taken = bytes.length > 1 && this.random.chance(0.1) ? this.#cut(bytes) : bytes
    if (taken.length === 0 && bytes.length > 0) return this.write(descriptor, buffer, offset, length, position)
    this.#change(file.inode, { at, bytes: taken })
    if (position === null) file.position += taken.length
    return taken.length
  }

  #cut(bytes) {
    return bytes.subarray(0, this.random.below(bytes.length + 1))
  }

  #change(inode, write) {
    inode.bytes = applied(inode.bytes, write)
    inode.writes.push(write)
    inode.time = this.now()
  }

  ftruncate(descriptor, length = 0) {
    const file = this.#file(descriptor, 'ftruncate')
    this.#call('truncate', file.name, { isOpen: true })
    this.#change(file.inode, { length })
  }

  fsync(descriptor) {
    const { inode, name } = this.#file(descriptor, 'fsync')
    try {
      this.#call('fsync', name, { isOpen: true })
    } catch (error) {
      // What could not be brought there is not tried again: a later sync succeeds without it.
      if (error.code === 'EIO' && inode.kind === 'file')
        inode.writes = inode.writes.map((write) => ({ ...write, lost: true }))
      throw error
    }
    if (this.forgets(inode.kind, name)) return
    if (inode.kind === 'folder') {
      const isHere = (changes) => changes.some(([folder]) => folder === inode)
      for (const changes of this.#names.filter(isHere)) this.#settle(changes)
      this.#names = this.#names.filter((changes) => !isHere(changes))
    } else {
      for (const write of inode.writes) if (!write.lost) inode.durable = applied(inode.durable, write)
      inode.writes = inode.writes.filter(({ lost }) => lost)
    }
  }

  fdatasync(descriptor) {
    this.fsync(descriptor)
  }

  fstat(descriptor, options) {
    const { inode, name } = this.#file(descriptor, 'fstat')
    this.#call('stat', name, { isOpen: true })
    return statsOf(inode, options)
  }

  fchown() {
    if (this.dead) throw systemError('ESHUTDOWN', 'fchown')
  }

  fchmod(descriptor, mode) {
    const { inode, name } = this.#file(descriptor, 'fchmod')
    this.#call('chmod', name, { isOpen: true })
    inode.mode = mode
  }

  stat(name, options = {}) {
    return this.#stat(name, options, true)
  }

  lstat(name, options = {}) {
    return this.#stat(name, options, false)
  }

  #stat(name, options, follow) {
    this.#call('stat', name)
    try {
      return statsOf(this.#find(name, 'stat', { follow }), options)
    } catch (error) {
      if (error.code === 'ENOENT' && options.throwIfNoEntry === false) return undefined
      throw error
    }
  }

  exists(name) {
    try {
      this.stat(name)
      return true
    } catch {
      return false
    }
  }

  access(name, mode = 0) {
    this.#call(mode & 2 ? 'access for writing' : 'access', name)
    this.#find(name, 'access')
  }

  realpath(name) {
    this.#call('realpath', name)
    this.#find(name, 'realpath')
    return name // no folder is a link here
  }

  readlink(name) {
    this.#call('readlink', name)
    const inode = this.#find(name, 'readlink', { follow: false })
    if (inode.kind !== 'link') throw systemError('EINVAL', 'readlink', name)
    return inode.target
  }

  mkdir(name, options = {}) {
    if (options?.recursive) {
      if (this.#isFolder(name)) return undefined
      if (path.dirname(name) !== name) this.mkdir(path.dirname(name), options)
    }
    this.#call('mkdir', name)
    const { folder, base } = this.#parent(name, 'mkdir')
    if (folder.names.has(base)) throw systemError('EEXIST', 'mkdir', name)
    this.#rename([folder, base, this.#folder()])
    return name
  }

  #isFolder(name) {
    try {
      return this.#find(name, 'mkdir').kind === 'folder'
    } catch {
      return false
    }
  }

  mkdtemp(prefix) {
    const name =
      prefix +
      this.random
        .below(36 ** 6)
        .toString(36)
        .padStart(6, '0')
    this.mkdir(name)
    return name
  }

  readdir(name) {
    this.#call('readdir', name)
    const inode = this.#find(name, 'scandir')
    if (inode.kind !== 'folder') throw systemError('ENOTDIR', 'scandir', name)
    return [...inode.names.keys()].sort()
  }

  readFile(nameOrDescriptor, options) {
    const descriptor = typeof nameOrDescriptor === 'number' ? nameOrDescriptor : this.open(nameOrDescriptor)
    try {
      const file = this.#file(descriptor, 'read')
      this.#call('read', file.name, { isOpen: true })
      if (file.inode.kind !== 'file') throw systemError('EISDIR', 'read')
      const bytes = Buffer.from(file.inode.bytes)
      const encoding = typeof options === 'string' ? options : options?.encoding
      return encoding ? bytes.toString(encoding) : bytes
    } finally {
      if (descriptor !== nameOrDescriptor && !this.dead) this.close(descriptor)
    }
  }

  writeFile(nameOrDescriptor, data, options) {
    const flag = (typeof options === 'object' && options?.flag) || 'w'
    const descriptor = typeof nameOrDescriptor === 'number' ? nameOrDescriptor : this.open(nameOrDescriptor, flag)
    try {
      const bytes = Buffer.from(data)
      for (let written = 0; written < bytes.length; ) written += this.write(descriptor, bytes, written)
    } finally {
      if (descriptor !== nameOrDescriptor && !this.dead) this.close(descriptor)
    }
  }

  rename(from, to) {
    this.#call('rename', to)
    const [source, target] = [this.#parent(from, 'rename'), this.#parent(to, 'rename')]
    const inode = source.folder.names.get(source.base)
    if (!inode) throw systemError('ENOENT', 'rename', from)
    const there = target.folder.names.get(target.base)
    if (there?.kind === 'folder') {
      if (inode.kind !== 'folder') throw systemError('EISDIR', 'rename', to)
      if (there.names.size > 0) throw systemError('ENOTEMPTY', 'rename', to)
    } else if (there && inode.kind === 'folder') throw systemError('ENOTDIR', 'rename', to)
    if (there) there.links--
    this.#rename([source.folder, source.base, undefined], [target.folder, target.base, inode])
  }

  unlink(name) {
    this.#call('unlink', name)
    const { folder, base } = this.#parent(name, 'unlink')
    const inode = folder.names.get(base)
    if (!inode) throw systemError('ENOENT', 'unlink', name)
    if (inode.kind === 'folder') throw systemError('EISDIR', 'unlink', name)
    inode.links--
    this.#rename([folder, base, undefined])
  }

  rmdir(name) {
    this.#call('rmdir', name)
    const { folder, base } = this.#parent(name, 'rmdir')
    const inode = folder.names.get(base)
    if (!inode) throw systemError('ENOENT', 'rmdir', name)
    if (inode.kind !== 'folder') throw systemError('ENOTDIR', 'rmdir', name)
    if (inode.names.size > 0) throw systemError('ENOTEMPTY', 'rmdir', name)
    this.#rename([folder, base, undefined])
  }

  rm(name, { force = false, recursive = false } = {}) {
    let stat
    try {
      stat = this.lstat(name)
    } catch (error) {
      if (error.code === 'ENOENT' && force) return
      throw error
    }
    if (!stat.isDirectory()) return this.unlink(name)
    if (!recursive) throw systemError('EISDIR', 'rm', name)
    for (const child of this.readdir(name)) this.rm(path.join(name, child), { recursive })
    this.rmdir(name)
  }

  link(from, to) {
    this.#call('link', to)
    const inode = this.#find(from, 'link')
    const { folder, base } = this.#parent(to, 'link')
    if (folder.names.has(base)) throw systemError('EEXIST', 'link', to)
    inode.links++
    this.#rename([folder, base, inode])
  }

  utimes(name, _accessed, modified) {
    this.#call('utimes', name)
    this.#find(name, 'utimes').time = modified instanceof Date ? modified.getTime() : modified * 1000
  }

  // What happens to it from outside.

  /** All that is there is on the disk. */
  sync() {
    for (const changes of this.#names) this.#settle(changes)
    this.#names = []
    for (const inode of this.#inodes()) {
      if (inode.kind !== 'file') continue
      inode.durable = inode.bytes
      inode.writes = []
    }
  }

  #inodes(inode = this.#root, found = new Set()) {
    if (found.has(inode)) return found
    found.add(inode)
    for (const names of inode.kind === 'folder' ? [inode.names, inode.durable] : [])
      for (const child of names.values()) this.#inodes(child, found)
    return found
  }

  /** The process is gone; with `power` cut the disk falls back to something that was synced at least. */
  restart({ power = false } = {}) {
    this.#open.clear()
    this.dead = false
    if (!power) return
    for (const changes of this.#survivors(this.#names)) this.#settle(changes)
    this.#names = []
    for (const inode of this.#inodes()) {
      if (inode.kind === 'folder') inode.names = new Map(inode.durable)
      if (inode.kind !== 'file') continue
      for (const write of this.#survivors(inode.writes, (write) => this.#torn(write, inode)))
        inode.durable = applied(inode.durable, write)
      inode.bytes = inode.durable
      inode.writes = []
    }
  }

  /** Those of what was never synced that reached the disk all the same. */
  #survivors(list, torn = () => []) {
    const { random } = this
    const how = random.pick(['none', 'all', 'first', 'some'])
    if (how === 'none') return []
    if (how === 'all') return list
    if (how === 'some') return list.flatMap((item) => (random.chance(0.5) ? [item] : torn(item)))
    const count = random.below(list.length + 1)
    return [...list.slice(0, count), ...list.slice(count, count + 1).flatMap(torn)]
  }

  #torn(write, { durable }) {
    if (!write.bytes) return []
    const part = [{ ...write, bytes: this.#cut(write.bytes) }]
    // A file may have grown without what was written there.
    const zeros = [{ ...write, bytes: Buffer.alloc(write.bytes.length) }]
    return this.random.pick(write.at < durable.length ? [[], part] : [[], part, zeros])
  }
}

function applied(bytes, { at, bytes: written, length }) {
  if (written === undefined) {
    if (length <= bytes.length) return bytes.subarray(0, length)
    return Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])
  }
  const result = Buffer.alloc(Math.max(bytes.length, at + written.length))
  bytes.copy(result)
  written.copy(result, at)
  return result
}

function flagsOf(flags) {
  if (typeof flags === 'number')
    return {
      write: (flags & 3) !== 0,
      create: (flags & 0o100) !== 0,
      exclusive: (flags & 0o200) !== 0,
      truncate: (flags & 0o1000) !== 0
    }
  return {
    write: flags !== 'r',
    create: /^[wa]/.test(flags),
    exclusive: flags.includes('x'),
    truncate: flags.startsWith('w')
  }
}

function statsOf({ kind, inode, mode, time, links, bytes }, { bigint = false } = {}) {
  const size = bytes?.length ?? 0
  const stats = {
    size,
    mode,
    ino: inode,
    dev: 1,
    uid: process.getuid(),
    gid: process.getgid(),
    nlink: links,
    mtimeMs: time,
    mtime: new Date(time),
    isFile: () => kind === 'file',
    isDirectory: () => kind === 'folder',
    isSymbolicLink: () => kind === 'link',
    isFIFO: () => false,
    isSocket: () => false
  }
  return bigint ? { ...stats, size: BigInt(size), mtimeNs: BigInt(Math.round(time * 1e6)) } : stats
}
