import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { binariesOf, platforms, thisPlatform } from '../../scripts/package.mjs'
import { root } from './cli.mjs'
import { temporaryFolder } from './media.mjs'

/** The tarballs of the platforms' packages, by their names. */
export const tarballName = (name, version) => `vcap-native-${name}-${version}.tgz`

/** Lays out a platform's binaries as its package has them: each variant the addon that was built for this machine. */
export function localBinaries(name = thisPlatform()) {
  const folder = temporaryFolder()
  const addon = path.join(root, 'build', 'Release', 'vcap_native.node')
  for (const file of binariesOf(name)) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    const from = file.endsWith('cpu-level.node') ? path.join(root, 'build', 'cpu-level.node') : addon
    fs.copyFileSync(from, path.join(folder, file))
  }
  return folder
}

/** Packs by `npm run package`'s script; resolves to the tarballs' paths. */
export function pack(out, ...args) {
  const script = path.join(root, 'scripts', 'package.mjs')
  execFileSync(process.execPath, [script, '--out', out, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return fs
    .readdirSync(out)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => path.join(out, name))
}

/** Packages of every other platform, each with the name and the conditions of the real one, and nothing in it. */
export function otherPlatforms(main, out) {
  const here = thisPlatform()
  const { version } = main
  return Object.entries(platforms)
    .filter(([name, { cuda }]) => name !== here && !cuda)
    .map(([name, { platform, arch, libc }]) => {
      const folder = path.join(out, 'package')
      fs.mkdirSync(folder, { recursive: true })
      const conditions = { os: [platform], cpu: [arch], ...(libc && { libc: [libc] }) }
      const manifest = { name: `@vcap-native/${name}`, version, ...conditions }
      fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest))
      const file = path.join(out, tarballName(name, version))
      execFileSync('tar', ['-czf', file, '-C', out, 'package'])
      fs.rmSync(folder, { recursive: true })
      return file
    })
}
