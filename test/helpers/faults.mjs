import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const source = path.join(import.meta.dirname, 'faults.c')

/** Why reads cannot be made to fail here; false where they can. */
export const cannotFail =
  (process.platform !== 'linux' && 'libraries are preloaded on Linux only') ||
  (spawnSync('cc', ['--version']).status !== 0 && 'there is no C compiler')

/**
 * Makes reads fail in processes that are started from now on, in files whose path has "faulty" in it. `fail` says how,
 * also for processes that run already; faults.c has the kinds.
 */
export function preloadFaults(folder) {
  const library = path.join(folder, 'faults.so')
  const orders = path.join(folder, 'orders')
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { stdio: 'inherit' })
  process.env.LD_PRELOAD = library
  process.env.VCAP_FAULTS = orders
  return {
    fail(kind, place) {
      fs.rmSync(`${orders}.taken`, { force: true })
      // Written whole at once: a process may read it meanwhile.
      fs.writeFileSync(`${orders}.new`, `${kind} ${place}\n`)
      fs.renameSync(`${orders}.new`, orders)
    },
    pass() {
      fs.rmSync(orders, { force: true })
    }
  }
}
