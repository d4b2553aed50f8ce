/**
 * Makes the folder against which packaged addons are built, so that they load on older systems than this one: Debian
 * 11's C library (glibc 2.31), its compiler with a static C++ runtime, and a static libgomp.
 *
 *   node scripts/sysroot.mjs [FOLDER]        default build/sysroot
 *
 * The compiler runs from there, on this system: nothing is installed and nobody need be root. Debian's libgomp.a cannot
 * be linked into an addon (it is compiled for programs), so that one is built from the compiler's sources. Needs
 * debootstrap, which checks what it downloads by Debian's keys, and dpkg, make, a C compiler and xz.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const suite = 'bullseye'
const gcc = 10
/** What a compiler needs of a system; all else that debootstrap downloads is left out. */
const wanted = /^(libc6(-dev)?|linux-libc-dev|libcrypt(1|-dev)|libgcc-.*|libgomp1|libstdc\+\+.*|(gcc|g\+\+|cpp)-\d+)_/
/** Raised when a folder of before is not good any more. */
const version = `${suite} 1`

/** The folder, made first where it is not there. Throws one clear line. */
export function sysroot(folder) {
  const stamp = path.join(folder, '.vcap-sysroot')
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === version) return folder
  console.log(`sysroot: Debian's ${suite} into ${folder}, some minutes`)
  const work = `${folder}.work`
  for (const each of [folder, work]) fs.rmSync(each, { recursive: true, force: true })
  fs.mkdirSync(work, { recursive: true })
  const downloads = path.join(work, 'debian')
  const include = '--include=g++,libc6-dev'
  run('debootstrap', ['--download-only', '--variant=minbase', include, suite, downloads], work)
  unpack(path.join(downloads, 'var', 'cache', 'apt', 'archives'), folder)
  buildLibgomp(downloads, folder, work)
  fs.rmSync(work, { recursive: true })
  fs.writeFileSync(stamp, version)
  return folder
}

function unpack(archives, folder) {
  for (const name of fs.readdirSync(archives).filter((each) => wanted.test(each)))
    run('dpkg-deb', ['-x', path.join(archives, name), folder], archives)
  // Links from the root of a system would lead out of the folder.
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const link = path.join(entry.parentPath ?? entry.path, entry.name)
    const target = fs.readlinkSync(link)
    if (!path.isAbsolute(target)) continue
    fs.unlinkSync(link)
    fs.symlinkSync(path.relative(path.dirname(link), path.join(folder, target)), link)
  }
}

/** libgomp.a as position-independent code, in the place of Debian's. */
function buildLibgomp(downloads, folder, work) {
  const tarball = gccSources(downloads, work)
  const sources = path.join(work, 'gcc')
  const build = path.join(work, 'libgomp')
  for (const each of [sources, build]) fs.mkdirSync(each)
  const parts = ['config', 'include', 'libgomp', 'gcc/BASE-VER', 'libgcc/gthr*', '[a-z]*-ml.in', 'config.*', 'compile']
  parts.push('depcomp', 'install-sh', 'ltmain.sh', 'missing', 'mkinstalldirs', 'move-if-change', 'multilib.am')
  const patterns = parts.map((name) => `*/${name}`)
  run('tar', ['-xf', tarball, '-C', sources, '--strip-components=1', '--wildcards', ...patterns], work)
  const [cc, cxx] = ['gcc', 'g++'].map((name) => `${path.join(folder, 'usr', 'bin', `${name}-${gcc}`)}`)
  const options = ['--disable-multilib', '--disable-shared', '--with-pic', 'FC=no', 'CFLAGS=-O2 -fPIC']
  options.push(`CC=${cc} --sysroot=${folder}`, `CXX=${cxx} --sysroot=${folder}`)
  run(path.join(sources, 'libgomp', 'configure'), options, build)
  run('make', ['libgomp.la', 'MAKEINFO=true'], build)
  const compilers = path.join(folder, 'usr', 'lib', 'gcc')
  const [triplet] = fs.readdirSync(compilers)
  const libraries = path.join(compilers, triplet, String(gcc))
  fs.copyFileSync(path.join(build, '.libs', 'libgomp.a'), path.join(libraries, 'libgomp.a'))
}

/** The compiler's sources out of Debian's package of them, checked by the list that debootstrap has checked. */
function gccSources(downloads, work) {
  const name = `gcc-${gcc}-source`
  const lists = path.join(downloads, 'var', 'lib', 'apt', 'lists')
  const list = fs.readdirSync(lists).find((each) => each.endsWith('_Packages'))
  const entries = fs.readFileSync(path.join(lists, list), 'utf8').split('\n\n')
  const entry = entries.find((each) => each.startsWith(`Package: ${name}\n`))
  const field = (key) => new RegExp(`^${key}: (.*)$`, 'm').exec(entry)[1]
  const [, mirror] = /(\S+\/)pool\//.exec(fs.readFileSync(path.join(downloads, 'debootstrap', 'deburis'), 'utf8'))
  const file = path.join(work, `${name}.deb`)
  run('wget', ['-q', '-O', file, mirror + field('Filename')], work)
  const hash = createHash('sha256').update(fs.readFileSync(file)).digest('hex')
  if (hash !== field('SHA256')) throw new Error(`${field('Filename')} is not what Debian's list says; it was not used`)
  run('dpkg-deb', ['-x', file, path.join(work, 'source')], work)
  const places = path.join(work, 'source', 'usr', 'src', `gcc-${gcc}`)
  return path.join(
    places,
    fs.readdirSync(places).find((each) => /^gcc-.*\.tar\.xz$/.test(each))
  )
}

/** Runs a command whose words are shown only where it fails. */
function run(command, args, cwd) {
  const options = { cwd, encoding: 'utf8', maxBuffer: 1 << 28 }
  const { status, error, stdout, stderr } = spawnSync(command, args, options)
  if (error?.code === 'ENOENT') throw new Error(`${command} was not found; install it (Debian: its package)`)
  if (error) throw new Error(`${command} could not be run: ${error.message}`)
  const end = `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n')
  if (status !== 0) throw new Error(`${command} failed:\n${end}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const folder = process.argv[2] ?? fileURLToPath(new URL('../build/sysroot', import.meta.url))
    console.log(sysroot(path.resolve(folder)))
  } catch (error) {
    console.error(`sysroot: ${error.message}`)
    process.exit(1)
  }
}
