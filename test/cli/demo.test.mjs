import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { openClipEncoder } from '../../dist/demo/encode.js'
import { cli, readRows } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

test('demo captions its own videos, rightly', async () => {
  const folder = temporaryFolder()
  const { status, stdout, stderr } = await cli(['demo', '--out', folder])
  assert.equal(status, 0, stderr)
  const rows = readRows(path.join(folder, 'captions.csv'))
  assert.equal(rows.length, 14)
  assert.ok(rows.every((row) => row.status === 'ok'))
  assert.ok(new Set(rows.map((row) => path.extname(row.path))).size >= 3, 'several containers')
  const right = rows.filter((row) => row.text === row.expected).length
  assert.match(stdout, new RegExp(`${right} of 14 captions are right\\. They are in ${folder}`))
  assert.ok(right >= 13, stdout)
})

test('with node-av alone, no ffmpeg command, it does the same', async () => {
  const folder = temporaryFolder()
  const bin = path.join(folder, 'bin')
  fs.mkdirSync(bin)
  fs.symlinkSync('/bin/sh', path.join(bin, 'sh'))
  const { status, stdout, stderr } = await cli(['demo', '--out', folder], { env: { PATH: bin } })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /\n1[34] of 14 captions are right\./)
  const kinds = fs.readdirSync(folder).map((name) => path.extname(name))
  for (const kind of ['.mp4', '.webm', '.mkv', '.mov']) assert.ok(kinds.includes(kind), kind)
})

test('a clip that cannot be written is a `write_failed`, whatever encodes it', async () => {
  async function* frames() {
    yield new Uint8Array(64 * 64 * 3)
  }
  const format = { extension: 'mp4', encoder: 'mpeg4', options: {} }
  for (const ffmpeg of ['ffmpeg', undefined]) {
    const encoder = await openClipEncoder(ffmpeg)
    const clip = { frames: frames(), width: 64, height: 64, fps: 10 }
    await assert.rejects(encoder.write('/nowhere/clip.mp4', clip, format), { code: 'write_failed' }, encoder.name)
    const aborted = encoder.write(path.join(temporaryFolder(), 'a.mp4'), clip, format, AbortSignal.abort())
    await assert.rejects(aborted, { code: 'aborted' }, encoder.name)
  }
})
