/** Captions by a test server: `run` with an API in this process, and the command `gpt4`. */
import fs from 'node:fs'
import path from 'node:path'
import { run } from '../../dist/index.js'
import { splitApiOptions } from '../../dist/options/index.js'
import { cli, readRows } from './cli.mjs'
import { demoSamples } from './samples.mjs'

export const testKey = 'sk-test-0123456789+abc_DEF'

/**
 * Samples, and two ways to caption them: `gpt4(server, flags, { output, input })` in this process, and
 * `command(server, flags, { output, input, env, onStderr })`. Both give exit code, events and the output's rows.
 */
export async function gpt4On(wanted) {
  const made = await demoSamples(wanted)
  let outputs = 0
  const newOutput = () => path.join(made.folder, `out-${outputs++}.csv`)
  const rowsOf = (output) => (fs.existsSync(output) ? readRows(output) : [])

  const command = async (server, more = [], { output = newOutput(), env = {}, onStderr, input = made.csv } = {}) => {
    const args = ['gpt4', input, output, '--base-url', server.url, '--json', ...more]
    const ended = await cli(args, { env: { OPENAI_API_KEY: testKey, ...env }, onStderr })
    const events = ended.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
    return { ...ended, output, events, last: events.at(-1), rows: rowsOf(output) }
  }

  const gpt4 = async (server, more = [], { output = newOutput(), input = made.csv } = {}) => {
    const events = []
    const [api, options] = splitApiOptions(optionsOf(more))
    const onEvent = (event) => events.push(event)
    const ended = await run(input, output, {
      ...options,
      api: { baseUrl: server.url, key: testKey, ...api },
      onEvent
    }).then(
      ({ failed }) => ({ status: failed > 0 ? 3 : 0 }),
      (error) => ({ status: error.exitCode, last: { code: error.code, message: error.message } })
    )
    const stderr = events.map((event) => JSON.stringify(event)).join('\n')
    return { last: events.at(-1), ...ended, output, events, stderr, rows: rowsOf(output) }
  }
  return { ...made, gpt4, command }
}

/** The options that flags of the command stand for. */
function optionsOf(flags) {
  const options = {}
  for (let i = 0; i < flags.length; i++) {
    const name = flags[i].slice(2).replace(/-(\w)/g, (_, letter) => letter.toUpperCase())
    const isAlone = flags[i + 1] === undefined || flags[i + 1].startsWith('--')
    const text = isAlone ? undefined : flags[++i]
    if (name.startsWith('retry')) options[name] = (text ?? 'all').split(',')
    else if (name === 'price') options[name] = text.split(',').map(Number)
    else options[name] = text === undefined ? true : /^[\d.]+$/.test(text) ? Number(text) : text
  }
  return options
}
