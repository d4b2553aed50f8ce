import { SingleBar } from 'cli-progress'

/**
 * Starts a bar of so many columns on stderr. Lines may be written above it, which `render` then draws it below; what a
 * terminal has no room for beside it is cut off.
 */
export function startBar(format: string, total: number, done: number, payload: object = {}, columns = 30): SingleBar {
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    fps: 5,
    linewrap: true, // switching it off would outlive a second Ctrl-C
    forceRedraw: true, // after a line above it
    barsize: columns,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    gracefulExit: false // signals are the command's
  })
  bar.start(total, done, payload)
  return bar
}
