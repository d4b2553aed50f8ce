import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { VcapError } from '../errors'
import { isWritableFolder } from '../folders'
import { isSameFile, unwritable } from '../rows/output-place'
import type { RowSink } from '../rows/rows'

/** Throws `usage` where an output is one of the tables that it is made of. */
export function requireNoInput(output: string, inputs: string[]): void {
  const input = inputs.find((name) => isSameFile(name === '-' ? '/dev/stdin' : name, output))
  if (input === undefined) return
  throw new VcapError('usage', `Output ${output} is the input ${input}: name another file`)
}

/**
 * Makes an output appear whole or not at all: `fill` writes it, each time from the first row on after `begin`. Throws
 * `output_unwritable`, `write_failed`, and what `fill` throws.
 */
export async function fillTable<T>(sink: RowSink, fill: (begin: () => void) => Promise<T>): Promise<T> {
  const folder = sink.isFile ? makeFolder(sink.path) : ''
  try {
    const result = await fill(() => sink.begin(folder))
    await sink.commit()
    return result
  } finally {
    sink.discard()
    if (folder !== '') fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** A folder of its own: beside the file, so that it can be renamed; where that takes none, among temporary files. */
function makeFolder(file: string): string {
  const beside = path.dirname(file)
  try {
    return isWritableFolder(beside)
      ? fs.mkdtempSync(path.join(beside, '.vcap-'))
      : fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-'))
  } catch (cause) {
    throw unwritable(file, (cause as Error).message, cause)
  }
}
