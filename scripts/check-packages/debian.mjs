/** A fresh Debian that has Node and nothing else: no compiler, no libgomp, no ffmpeg. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { makeFolder, must } from './project.mjs'

const commands = ['debootstrap', 'unshare', 'chroot']

export function whyNoDebian() {
  if (process.platform !== 'linux' || process.getuid() !== 0) return 'it needs root, on Linux'
  const missing = commands.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
  return missing.length > 0 && `these are not there: ${missing.join(', ')}`
}

/** What a release must not have for the test to say something. */
const unwanted = ['cc', 'gcc', 'g++', 'clang', 'make', 'cmake', 'python3', 'ffmpeg']

/** Installs and captions there. `release` is Debian's name of one. */
export const debian = (release) => async (context) => {
  const { registry, version } = context
  const root = makeFolder(release)
  try {
    await must('debootstrap', ['--variant=minbase', release, root])
    addNode(root)
    // Its own namespace of mounts, so that /proc is gone with the command.
    const inside = (script) => {
      const mounted = `mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i "$@"`
      const env = ['PATH=/usr/local/bin:/usr/bin:/bin', 'HOME=/root', `npm_config_registry=${registry.url}`]
      const namespaces = ['--mount', '--pid', '--fork', 'sh', '-c', mounted]
      return must('unshare', [...namespaces, root, ...env, 'sh', '-ec', script])
    }
    const { stdout: there } = await inside(
      `for name in ${unwanted.join(' ')}; do command -v $name || true; done; ls /usr/lib/*/libgomp* 2>/dev/null || true`
    )
    if (there !== '') throw new Error(`${release} has more than Node: ${there}`)
    registry.resetBytes()
    const started = performance.now()
    const packages = `vcap-native@${version} node-av`
    await inside(`mkdir /app && cd /app && npm install --ignore-scripts --no-audit --no-fund ${packages}`)
    const installed = performance.now()
    const { stdout, said } = await inside('cd /app && npx --no-install vcap-native demo')
    const captioned = performance.now()
    if (!/\n14 of 14 captions are right\./.test(stdout)) throw new Error(said)
    const { stdout: size } = await inside('du -sm /app/node_modules | cut -f1')
    const seconds = (from, to) => `${((to - from) / 1000).toFixed(0)} s`
    const megabytes = (registry.bytes() / 1e6).toFixed(0)
    return (
      `${megabytes} MB downloaded in ${seconds(started, installed)}, ${size.trim()} MiB installed; ` +
      `14 of 14 captions right in ${seconds(installed, captioned)}`
    )
  } finally {
    fs.rmSync(root, { recursive: true, force: true })
  }
}

/** Node as this one, with its npm, in /usr/local. */
function addNode(root) {
  const prefix = path.join(root, 'usr', 'local')
  fs.mkdirSync(path.join(prefix, 'lib', 'node_modules'), { recursive: true })
  fs.copyFileSync(process.execPath, path.join(prefix, 'bin', 'node'))
  const modules = spawnSync('npm', ['root', '-g'], { encoding: 'utf8' }).stdout.trim()
  fs.cpSync(path.join(modules, 'npm'), path.join(prefix, 'lib', 'node_modules', 'npm'), { recursive: true })
  for (const name of ['npm', 'npx']) {
    fs.symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, path.join(prefix, 'bin', name))
  }
}
