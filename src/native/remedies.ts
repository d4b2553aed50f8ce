import type { Origin } from './addon-place'
import { reportedGlibc } from './library-file'
import { installCommand } from './platform-packages'

/*
 * What helps where an addon does not load, for each reason: the words of the dynamic linkers of glibc, musl and macOS,
 * of Node, and our own.
 */

/** Brings an addon to every system that has a C++ compiler. */
export function buildHere(origin: Origin): string {
  const command = origin.endsWith('-cuda') ? 'VCAP_CUDA=1 npm run setup' : 'npm run setup'
  return `build the addon on this machine: \`${command}\` in a clone of vcap-native`
}

/** For what is damaged or was made for another machine. */
export function getAgain(origin: Origin): string {
  if (origin === 'VCAP_ADDON') return 'name another file in VCAP_ADDON, or unset it'
  if (origin === 'local build') return 'remove that file, and build it on this machine: `npm run setup`'
  return `remove that package's folder, and \`${installCommand(origin)}\``
}

/** Reasons and what helps; the first that matches counts. */
const remedies: [reason: RegExp, remedy: (words: RegExpExecArray, origin: Origin) => string][] = [
  [/version [`'](GLIBC_)?(\S+)' not found/, ([, libc, version], origin) => newerSystem(version!, libc, origin)],
  [/ld-linux|__\w+_chk: symbol not found/, (_, origin) => otherLibc('glibc', origin)],
  [/ld-musl|libc\.musl|\blibc\.so: /, (_, origin) => otherLibc('musl', origin)],
  [/(\S+): cannot open shared object file: No such file/, ([, name]) => missingLibrary(name!)],
  [/Error loading shared library (\S+): No such file/, ([, name]) => missingLibrary(name!)],
  [/Library not loaded: (\S+)/, ([, name]) => missingLibrary(name!)],
  [
    /failed to map segment/,
    () =>
      'its file system may be mounted with noexec: install on another, or mount it with exec; ' +
      'or a limit of memory (ulimit -v) is in the way'
  ],
  [
    /static TLS block/,
    () =>
      'other libraries took the room for thread-local storage: load vcap-native before them, or start Node with ' +
      'GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384'
  ],
  [/loading addons is disabled/, () => 'start Node without --no-addons, and with --allow-addons beside --permission'],
  [
    /Not a directory/,
    (_, origin) => `Yarn keeps it in a zip file, where nothing can be loaded: \`yarn unplug ${origin}\``
  ],
  [
    /EACCES|ERR_ACCESS_DENIED|Permission denied|not permitted/i,
    () => 'let this user read that file and search the folders above it'
  ],
  [
    /code signature|disallowed by system policy/,
    () => 'macOS does not trust that file: `xattr -d com.apple.quarantine` it'
  ],
  [/symbol/i, (_, origin) => `${getAgain(origin)}; where Node is old or is none of nodejs.org's, take another`]
]

/** What helps with an addon of this origin that does not load for this reason. */
export function remedyFor(reason: string, origin: Origin): string {
  for (const [pattern, remedy] of remedies) {
    const words = pattern.exec(reason)
    if (words) return remedy(words, origin)
  }
  return getAgain(origin)
}

function newerSystem(version: string, libc: string | undefined, origin: Origin): string {
  const here = libc ? reportedGlibc() : undefined
  const needs = libc ? `glibc ${version}` : version
  const has = here === undefined ? '' : `, and this one has ${here}`
  return `the addon needs a newer system, with ${needs}${has}: take one (a container serves), or ${buildHere(origin)}`
}

function otherLibc(libc: string, origin: Origin): string {
  const here = libc === 'musl' ? 'glibc' : 'musl'
  return `the addon is for ${libc}, and this Node for ${here}: ${getAgain(origin)}`
}

/** Debian's and Alpine's packages of the libraries that an addon may be linked to, and where else they come from. */
const libraryPackages: [library: RegExp, where: string][] = [
  [/^libgomp\.so/, 'install the package libgomp1 (apt install libgomp1), elsewhere libgomp (apk add libgomp)'],
  [/^libstdc\+\+\.so/, 'install the package libstdc++6 (apt install libstdc++6), elsewhere libstdc++'],
  [/^libomp\.dylib/, 'brew install libomp'],
  [/^libgcc_s\.so/, 'install the package libgcc-s1 (apt install libgcc-s1), elsewhere libgcc']
]

function missingLibrary(path: string): string {
  const library = path.split('/').at(-1)!
  const where = libraryPackages.find(([name]) => name.test(library))?.[1] ?? `install the package that has ${library}`
  return `the library ${library} is missing on this system: ${where}`
}
