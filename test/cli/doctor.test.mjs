/** `doctor`, and what the command says about itself. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { exitCodes } from '../../dist/errors.js'
import { cli, root } from '../helpers/cli.mjs'

test('doctor finds everything, help and version answer', async () => {
  const { status, stdout } = await cli(['doctor', '--json'])
  assert.equal(status, 0, stdout)
  const found = Object.fromEntries(JSON.parse(stdout).map(({ name, state }) => [name, state]))
  for (const name of ['node', 'addon', 'CPU', 'node-av', 'ffmpeg', 'demo']) assert.equal(found[name], 'ok', name)
  assert.equal((await cli(['doctor'], { env: { VCAP_FFMPEG: '/no/ffmpeg' } })).status, 2)
  assert.equal((await cli(['--help'])).status, 0)
  assert.equal((await cli(['run', '--help'])).status, 0)
  assert.equal(
    (await cli(['--version'])).stdout.trim(),
    JSON.parse(fs.readFileSync(path.join(root, 'package.json'))).version
  )
  assert.equal((await cli(['nonsense'])).status, 2)
  assert.equal((await cli([])).status, 2)
})

test('exit codes: the page, the help and the code say the same', async () => {
  const { stdout: help } = await cli(['run', '--help'])
  const page = fs.readFileSync(path.join(root, 'docs', 'running.md'), 'utf8')
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
  const { different, ...ofRuns } = exitCodes
  assert.match((await cli(['diff', '--help'])).stdout, new RegExp(`^Exit codes: .*\\b${different}\\b`, 'm'))
  for (const code of Object.values(ofRuns)) {
    for (const text of [help.slice(help.indexOf('Exit codes')), page, readme])
      assert.match(text, new RegExp(`\\b${code}\\b`))
  }
  for (const command of ['doctor', 'bench']) assert.match((await cli([command, '--help'])).stdout, /^Exit codes: /m)
})

test('doctor for people: a line for each finding, what is missing with its remedy', async () => {
  const { stdout } = await cli(['doctor'])
  assert.match(stdout, /^ok {6}node +\d+\./m)
  assert.match(stdout, /^ok {6}addon +llama\.cpp /m)
  const broken = await cli(['doctor'], { env: { VCAP_FFMPEG: '/no/ffmpeg' } })
  assert.equal(broken.status, 2)
  assert.match(broken.stdout, /^broken {2}ffmpeg +.*\/no\/ffmpeg/m)
})
