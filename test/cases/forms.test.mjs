/** Forms and prompts that cannot be: each is refused in one line, and what an earlier run has made stays. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { cli } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'
import { formCases } from './forms.mjs'
import { matches } from './says.mjs'

const { folder, csv } = await demoSamples({ clips: 0, images: 2 })
const output = path.join(folder, 'out.csv')
const command = ['run', csv, output, '--model', 'demo', '--gpus', 'none']
const { status, stderr } = await cli(command)
assert.equal(status, 0, stderr)
/** Each file of the output and its journal with its bytes. */
const made = () => {
  const journal = `${output}.vcap`
  const files = [output, ...fs.readdirSync(journal).map((name) => path.join(journal, name))]
  return files.sort().map((file) => [file, fs.readFileSync(file, 'latin1')])
}
const before = made()

for (const [i, { group, name, flags, contents, code, says }] of formCases.entries()) {
  test(`${group}: ${name}`, async () => {
    const file = path.join(folder, `form-${i}`)
    if (contents !== undefined && contents !== null) fs.writeFileSync(file, contents)
    const given = flags.map((flag) => (flag === 'FILE' ? file : flag))
    const refused = await cli([...command, ...given, '--restart', '--json'])
    assert.equal(refused.status, 2, refused.stderr)
    const lines = refused.stderr.trimEnd().split('\n')
    // What the flags say in themselves is told in words, before the first event.
    const [begun, stopped = {}] = lines[0].startsWith('{') ? lines.map(JSON.parse) : [{}]
    if (begun.type) assert.deepEqual([begun.type, stopped.type, stopped.code], ['begun', 'stopped', code])
    const line = stopped.message ?? lines[0].replace(/^vcap-native: /, '')
    assert.equal(lines.length, begun.type ? 2 : 1, refused.stderr)
    assert.doesNotMatch(line, /\n/)
    assert.ok(matches(says, line), line)
    assert.deepEqual(made(), before, 'nothing of the earlier run is touched')
  })
}
