import fs from 'node:fs'
import tty from 'node:tty'

/*
 * What the standard streams lead to may go away while a process works: a pipe's reader, a terminal, room on a disk.
 */

/** Codes of a write to a pipe without a reader, and to a terminal that is gone. */
const readerGone = ['EPIPE', 'EIO']

/**
 * Lets this process go on when what its standard streams lead to goes away; what would be written there is dropped.
 * `onOutputLost` is told once, where stdout fails for another reason than that nobody reads it any more.
 */
export function outliveStandardStreams(onOutputLost: (error: Error) => void): void {
  process.stderr.on('error', () => undefined) // what is told there is no part of the result
  let told = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (told || readerGone.includes(error.code ?? '')) return
    told = true
    onOutputLost(error)
  })
  leaveGoneTerminals()
}

/**
 * Before it ends, Node gives each terminal among the standard streams its first settings back, and aborts where the
 * terminal is gone by then. It leaves alone a descriptor that has come to mean another file.
 */
export function leaveGoneTerminals(): void {
  const terminals = [0, 1, 2].filter((descriptor) => tty.isatty(descriptor))
  process.on('exit', () => {
    for (const descriptor of terminals) {
      if (tty.isatty(descriptor)) continue
      fs.closeSync(descriptor)
      fs.openSync('/dev/null', 'r+') // takes the lowest number that is free, which is this one
    }
  })
}
