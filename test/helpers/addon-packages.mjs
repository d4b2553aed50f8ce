/** An application in whose node_modules vcap-native and packages with addons lie, as an installer puts them there. */
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { root } from './cli.mjs'

export const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json')))
export const builtAddon = path.join(root, 'build', 'Release', 'vcap_native.node')
export const builtCpuLevel = path.join(root, 'build', 'cpu-level.node')
/** The application, without any addon: it takes dependencies and models from the clone. */
export function makeApplication(folder) {
  const modules = path.join(folder, 'node_modules')
  const self = path.join(modules, 'vcap-native')
  fs.mkdirSync(self, { recursive: true })
  for (const part of ['dist', 'package.json'])
    fs.cpSync(path.join(root, part), path.join(self, part), { recursive: true })
  for (const part of ['models', 'node_modules']) fs.symlinkSync(path.join(root, part), path.join(self, part))
  const command = path.join(self, 'dist', 'cli', 'main.js')

  return {
    self,
    modules,
    /** A package with these files: what makes each, given its path; a text is its contents. */
    add(name, files, manifest = { version }) {
      const place = path.join(modules, '@vcap-native', name)
      fs.mkdirSync(place, { recursive: true })
      for (const [file, make] of Object.entries(files)) {
        const at = path.join(place, file)
        fs.mkdirSync(path.dirname(at), { recursive: true })
        if (typeof make === 'function') make(at)
        else fs.writeFileSync(at, make)
      }
      fs.writeFileSync(
        path.join(place, 'package.json'),
        typeof manifest === 'string' ? manifest : JSON.stringify({ name: `@vcap-native/${name}`, ...manifest })
      )
      return place
    },
    /** Takes all packages with addons away. */
    clear() {
      fs.rmSync(path.join(modules, '@vcap-native'), { recursive: true, force: true })
    },
    /** Node with these arguments; `before` is what starts it. */
    node(args, { env = {}, before = [], ...options } = {}) {
      const [file, ...more] = [...before, process.execPath, ...args]
      const own = { ...process.env, VCAP_ADDON: undefined, VCAP_NATIVE_PREBUILD: undefined, ...env }
      for (const [name, value] of Object.entries(own)) if (value === undefined) delete own[name]
      return spawnSync(file, more, { encoding: 'utf8', env: own, ...options })
    },
    /** The command. */
    run(args, options) {
      return this.node([command, ...args], options)
    },
    /** Where the addon comes from that is loaded, or the error's message. */
    load(options) {
      const loader = JSON.stringify(path.join(self, 'dist', 'native', 'load.js'))
      const code = `try { console.log(JSON.stringify(require(${loader}).loadedAddon().place)) }
        catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }`
      const { stdout, stderr, signal } = this.node(['-e', code], options)
      if (signal || stdout === '') throw new Error(`${signal} ${stderr}`)
      return JSON.parse(stdout)
    },
    /** Findings of `doctor` by their names. */
    doctor(options) {
      const { stdout, stderr, status, signal } = this.run(['doctor', '--json'], options)
      if (stderr !== '' || signal) throw new Error(`doctor: ${signal ?? ''} ${stderr}`)
      return { status, ...Object.fromEntries(JSON.parse(stdout).map((finding) => [finding.name, finding])) }
    }
  }
}

/** The addon of this clone: a copy, since a link would be written through. */
export const working = (file) => fs.copyFileSync(builtAddon, file)

/** The addon's first bytes. */
export const cutTo = (bytes) => (file) => fs.writeFileSync(file, fs.readFileSync(builtAddon).subarray(0, bytes))

/** The addon with bytes of its own at a place. */
export const withBytes =
  (at, ...bytes) =>
  (file) => {
    const whole = fs.readFileSync(builtAddon)
    whole.set(bytes, at)
    fs.writeFileSync(file, whole)
  }

/** A library that the compiler makes of a text. */
export const compiled =
  (source, ...args) =>
  (file) =>
    void execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', file, ...args], { input: source })

const headers = path.join(root, 'node_modules', 'node-api-headers', 'include')

/** An addon that exports a number, and the one function that loading asks of an addon; `more` is C beside it. */
export const smallAddon = (name, number, more = '') =>
  compiled(
    `#include <node_api.h>
    ${more}
    static napi_value shutdown(napi_env env, napi_callback_info info) { return NULL; }
    NAPI_MODULE_INIT() {
      napi_value value;
      napi_create_int32(env, ${number}, &value);
      napi_set_named_property(env, exports, "${name}", value);
      napi_create_function(env, "shutdown", NAPI_AUTO_LENGTH, shutdown, NULL, &value);
      napi_set_named_property(env, exports, "shutdown", value);
      return exports;
    }`,
    `-I${headers}`
  )

/** What a package has to tell the processor's level, with its answer. */
export const sayingLevel = (level) => smallAddon('level', level)
