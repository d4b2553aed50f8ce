/** A disk that fills up or is read-only, and a clock that is set: what the command says, and that it goes on. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { main, readRows } from '../helpers/cli.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, samples } = await demoSamples({ clips: 1, images: 2 })
const rows = 60
const input = path.join(folder, 'many.csv')
const names = Array.from({ length: rows }, (_, i) => samples[i % samples.length].path)
fs.writeFileSync(input, ['path', ...names].join('\n'))
const disk = path.join(folder, 'disk')
fs.mkdirSync(disk)

const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', disk]).status === 0
const own = { skip: !canMount && 'no file system of its own can be mounted here' }

/** Runs shell lines with a disk of their own, where `caption` is the command. Returns its codes and last lines. */
function withDisk(size, lines) {
  const command = [
    process.execPath,
    main,
    'run',
    input,
    path.join(disk, 'out.csv'),
    '--model',
    'demo',
    '--gpus',
    'none'
  ]
  const script = [
    `mount -t tmpfs -o size=${size} none ${disk}`,
    `caption() { ${command.map((word) => `'${word}'`).join(' ')} 2>${folder}/stderr; code=$?`,
    `printf '%s %s\n' $code "$(tail -1 ${folder}/stderr)"; }`,
    ...lines
  ].join('\n')
  const { stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script], { encoding: 'utf8' })
  assert.equal(stderr, '')
  return stdout.trimEnd().split('\n')
}

/** The output that was copied out of the disk is whole. */
function assertWhole() {
  assert.deepEqual(
    readRows(path.join(folder, 'copy.csv')).map((row) => [row.path, row.status]),
    names.map((name) => [name, 'ok'])
  )
}

test('the disk is full: 75, the file is named, and the same command goes on when there is space', own, () => {
  const copy = `cp ${disk}/out.csv ${folder}/copy.csv`
  // Room for run.json and some records; then for all records, but not for the output; then for all.
  const fill = (kilobytes) => `head -c ${kilobytes}k /dev/zero >${disk}/filler`
  const said = withDisk('100k', [fill(84), 'caption', fill(70), 'caption', `rm ${disk}/filler`, 'caption', copy])
  assert.match(said[0], /^75 vcap-native: .*out\.csv\.vcap.* cannot be written: ENOSPC.*kept.*run/i)
  assert.match(said[1], /^75 vcap-native: .*ENOSPC/)
  assert.match(said.at(-1), /^0 /)
  assertWhole()
})

test('the disk has become read-only: the file is named, and the same command goes on afterwards', own, () => {
  const said = withDisk('100k', [
    `head -c 84k /dev/zero >${disk}/filler`,
    'caption',
    `rm ${disk}/filler; mount -o remount,ro ${disk}`,
    'caption',
    `mount -o remount,rw ${disk}`,
    'caption',
    `cp ${disk}/out.csv ${folder}/copy.csv`
  ])
  assert.match(said[0], /^75 /)
  assert.match(said[1], /^75 vcap-native: .*out\.csv.* cannot be (written|locked): EROFS/)
  assert.match(said.at(-1), /^0 /)
  assertWhole()
})

test('the clock is set back and forth during a run: it ends as it would, with a rate that can be', () => {
  const preload = path.join(folder, 'clock.cjs')
  fs.writeFileSync(
    preload,
    `const real = Date.now
    const begun = performance.now()
    const RealDate = Date
    // An hour back, then a day ahead, then an hour back again, every 200 ms.
    const shift = () => [0, -3600e3, 86400e3][Math.floor((performance.now() - begun) / 200) % 3]
    globalThis.Date = class extends RealDate {
      constructor(...args) { super(...(args.length === 0 ? [real() + shift()] : args)) }
      static now() { return real() + shift() }
    }`
  )
  const output = path.join(folder, 'clock.csv')
  const args = ['--require', preload, main, 'run', input, output, '--model', 'demo', '--gpus', 'none']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.match(stderr, /60 of 60 rows captioned \(60 ok\) in \d+ (s|min)/)
  assert.ok(!/-\d|NaN|Infinity/.test(stderr.replaceAll(folder, '')), stderr)
  fs.copyFileSync(output, path.join(folder, 'copy.csv'))
  assertWhole()
})
