/** The machine on which figures were taken. */
import os from 'node:os'

/**
 * The machine's description. It includes `load`, the work that already ran on it, because threads that spin while they
 * wait become tens of times slower beside a busy process, and not by the same factor for every peer.
 */
export function machine() {
  return {
    cpu: os.cpus()[0].model,
    cores: os.availableParallelism(),
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    os: `${os.type()} ${os.release()}`,
    node: process.version,
    load: os.loadavg()[0]
  }
}

export function warnIfBusy() {
  const { load } = machine()
  if (load > 0.5)
    console.error(`bench: this machine is busy (load ${load.toFixed(1)}): the figures are not for the record`)
}
