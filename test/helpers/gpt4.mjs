/** The command `gpt4` against a test server. */
import fs from 'node:fs'
import path from 'node:path'
import { cli, readRows } from './cli.mjs'
import { demoSamples } from './samples.mjs'

export const testKey = 'sk-test-0123456789+abc_DEF'

/** Samples, and the command on them: `gpt4(server, flags, options)` with the output's rows, where there is one. */
export async function gpt4On(wanted) {
  const made = await demoSamples(wanted)
  let outputs = 0
  const gpt4 = async (server, more = [], { output, env = {}, onStderr, input = made.csv } = {}) => {
    output ??= path.join(made.folder, `out-${outputs++}.csv`)
    const args = ['gpt4', input, output, '--base-url', server.url, '--json', ...more]
    const ended = await cli(args, { env: { OPENAI_API_KEY: testKey, ...env }, onStderr })
    const events = ended.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
    return { ...ended, output, events, last: events.at(-1), rows: fs.existsSync(output) ? readRows(output) : [] }
  }
  return { ...made, gpt4 }
}
