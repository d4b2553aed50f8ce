/** What the figures were taken on. */
import os from 'node:os'

/** `load` is what already ran: spinning threads beside a busy process lose tens of times, and not everyone's alike. */
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
