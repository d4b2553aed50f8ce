import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/**
 * Creates a temporary file without a name, in memory where the system has /dev/shm, and returns its descriptor. Throws
 * Node's errors.
 */
export function openUnnamedFile(): number {
  const folders = ['/dev/shm', os.tmpdir()].filter((folder) => fs.existsSync(folder))
  for (const [i, folder] of folders.entries()) {
    const file = path.join(folder, `.vcap-${randomBytes(6).toString('hex')}`)
    try {
      const descriptor = fs.openSync(file, 'wx+', 0o600)
      fs.unlinkSync(file)
      return descriptor
    } catch (error) {
      if (i === folders.length - 1) throw error
    }
  }
  throw new Error(`there is no folder for temporary files: no /dev/shm and no ${os.tmpdir()}; name one with TMPDIR`)
}

/** Runs `use` with the path of a file that holds these bytes and has no name where the system can do without. */
export async function withBytes<T>(bytes: Buffer, use: (file: string) => Promise<T>): Promise<T> {
  if (process.platform === 'linux') {
    const descriptor = openUnnamedFile()
    try {
      fs.writeFileSync(descriptor, bytes)
      return await use(`/proc/${process.pid}/fd/${descriptor}`)
    } finally {
      fs.closeSync(descriptor)
    }
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-'))
  try {
    fs.writeFileSync(path.join(folder, 'bytes'), bytes)
    return await use(path.join(folder, 'bytes'))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
