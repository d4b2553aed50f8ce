import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { cli, main, readCells, readRows, root, run } from '../helpers/cli.mjs'
import { ffmpeg, temporaryFolder } from '../helpers/media.mjs'
import { demoSamples } from '../helpers/samples.mjs'

const { folder, samples } = await demoSamples()
const clip = samples[0].path
const image = samples.find((sample) => sample.path.endsWith('.jpg')).path
const at = (name) => path.join(folder, name)
const write = (name, content) => {
  fs.writeFileSync(at(name), content)
  return at(name)
}
const leftovers = (where = folder) => fs.readdirSync(where).filter((name) => name.startsWith('.vcap-'))

/** The command refused to start: one line, the code, no output. */
async function assertRefused(args, message, status = 2) {
  const result = await cli(args)
  assert.equal(result.status, status, result.stderr)
  assert.match(result.stderr, message)
  assert.equal(result.stderr.trim().split('\n').length, 1, `more than one line:\n${result.stderr}`)
  assert.deepEqual(leftovers(), [])
}

test('every kind of failing row has its status, the others their captions; exit code 3', async () => {
  write('zero.mp4', '')
  write('text.mp4', 'hello\n'.repeat(99))
  ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', at('audio.m4a'))
  const names = [clip, 'gone.mp4', 'text.mp4', image, 'audio.m4a', 'zero.mp4', '', samples[1].path]
  const input = write('failures.csv', ['path,id', ...names.map((name, i) => `${name},${i}`)].join('\n'))
  const result = await run(input, at('failures-out.csv'), '--num-frames', '3')
  assert.equal(result.status, 3, result.stderr)
  assert.match(result.stderr, /3 of 8 rows captioned \(.*\) in /)
  const rows = readRows(at('failures-out.csv'))
  assert.deepEqual(
    rows.map((row) => row.path),
    names
  )
  assert.deepEqual(
    rows.map((row) => row.id),
    names.map((_, i) => String(i))
  )
  assert.deepEqual(
    rows.map((row) => row.status),
    ['ok', 'missing', 'unreadable', 'ok', 'no_frames', 'unreadable', 'missing', 'ok']
  )
  assert.deepEqual(Object.keys(rows[0]), ['path', 'id', 'text', 'num_frames', 'status', 'error', 'flags'])
  for (const row of rows) {
    assert.equal(row.text === '', row.status !== 'ok')
    assert.equal(row.error === '', row.status === 'ok')
  }
  assert.equal(rows[0].num_frames, String(samples[0].scene.length), 'the length of the video')
  assert.equal(rows[3].num_frames, '1', 'an image has one frame, whatever was asked')
  assert.match(rows[3].text, /on a \w+ background\.$/)
})

test('columns: own ones replaced, order kept, --compat, --root', async () => {
  const input = write('columns.csv', `status,text,path,note,num_frames\nold,old,${image},"a ""b"",\nc",7\n`)
  assert.equal((await run(input, at('columns-out.csv'))).status, 0)
  const [header, row] = readCells(at('columns-out.csv'))
  assert.deepEqual(header, ['path', 'note', 'text', 'num_frames', 'status', 'error', 'flags'])
  assert.deepEqual([row[0], row[1], row[3], row[4], row[5]], [image, 'a "b",\nc', '1', 'ok', ''])
  fs.mkdirSync(at('elsewhere.csv'))
  const moved = path.join(at('elsewhere.csv'), 'in.csv')
  fs.copyFileSync(input, moved)
  const result = await run(moved, at('compat-out.csv'), '--compat', 'open-sora', '--root', folder)
  assert.equal(result.status, 0, result.stderr)
  assert.deepEqual(readCells(at('compat-out.csv')), [
    ['path', 'text', 'num_frames'],
    [image, row[2], '1']
  ])
})

test('CSV: byte-order mark, CRLF, missing and extra cells, blank lines, duplicates, header only', async () => {
  const input = write('odd.csv', `\ufeffpath,a,b\r\n${image},1\r\n\r\n${image},1,2,3\r\n"${image}","x\r\ny",z\r\n`)
  const result = await run(input, at('odd-out.csv'))
  assert.equal(result.status, 0)
  const [, ...rows] = readCells(at('odd-out.csv'))
  assert.deepEqual(
    rows.map((cells) => cells.slice(0, 4)),
    [
      [image, '1', '', ''],
      [image, '1', '2', '3'],
      [image, 'x\r\ny', 'z', '']
    ]
  )
  assert.ok(rows.every((cells) => cells.length === 9 && cells[6] === 'ok'))
  assert.match(
    result.stderr,
    /^Warning: .*odd\.csv: 1 row \(line 2\) has fewer cells .*\nWarning: .*\(line 4\) has more cells/
  )
  assert.equal((await run(write('header.csv', 'path,a\n'), at('header-out.csv'))).status, 0)
  assert.deepEqual(readCells(at('header-out.csv')), [['path', 'a', 'text', 'num_frames', 'status', 'error', 'flags']])
})

test('a table from a pipe: each row once; Ctrl-C while it waits ends at once and leaves nothing', async () => {
  const script = 'cat "$2" | exec "$0" "$1" run - "$3" --model demo --gpus none --root "$4"'
  const main = path.join(root, 'dist/cli/main.js')
  const input = write('piped.csv', `path,id\r\n${image},0\n${image},1\n${image},2\r\n`)
  execFileSync('sh', ['-c', script, process.execPath, main, input, at('piped-out.csv'), folder], { stdio: 'ignore' })
  assert.deepEqual(
    readRows(at('piped-out.csv')).map(({ id, status }) => [id, status]),
    [
      ['0', 'ok'],
      ['1', 'ok'],
      ['2', 'ok']
    ]
  )
  const pipe = at('waiting')
  execFileSync('mkfifo', [pipe])
  for (const from of ['-', pipe]) {
    const child = spawn(process.execPath, [main, 'run', from, at('never.csv'), '--model', 'demo'], {
      env: { ...process.env, TMPDIR: folder }
    })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    await new Promise((resolve) => setTimeout(resolve, 1500))
    child.kill('SIGINT')
    const [status] = await once(child, 'exit')
    assert.deepEqual(
      [status, stderr],
      [130, '\nStopped by SIGINT; what was captioned is kept, and the same command goes on\n']
    )
  }
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => name.startsWith('vcap-table')),
    []
  )
})

test('what cannot start says so in one line with exit code 2', async () => {
  const input = write('one.csv', `path\n${image}\n`)
  const out = at('never.csv')
  const ask = (from, to, ...more) => ['run', from, to, '--model', 'demo', ...more]
  await assertRefused(ask(write('nopath.csv', 'file,caption\nx,y\n'), out), /no column named path.*"file", "caption"/)
  await assertRefused(ask(write('empty.csv', ''), out), /is empty/)
  await assertRefused(
    ask(write('quote.csv', '"path\nx'), out),
    /quote\.csv, line 1: the quote that opens a cell here is never/
  )
  await assertRefused(ask(at('none.csv'), out), /not found/)
  await assertRefused(ask(folder, at('clip.mp4')), /has the name of a video or image: name a table/)
  await assertRefused(ask(input, input), /is the input/)
  fs.symlinkSync(input, at('link.csv'))
  await assertRefused(ask(input, at('link.csv')), /is the input/)
  await assertRefused(ask(input, at('no/such/folder/out.csv')), /folder .* does not exist/)
  await assertRefused(ask(input, folder), /not a file/)
  await assertRefused(
    ['run', input, out, '--model', 'nonsense'],
    /Expected one of demo, llava-v1.6-34b, .*hf:OWNER\/REPO or a GGUF file/
  )
  await assertRefused(['run', input, out, '--model', at('gone.gguf'), '--mmproj', at('gone.gguf')], /not found/)
  await assertRefused(['run', input, out, '--model', path.join(root, 'models/demo/vcap-demo.gguf')], /--mmproj/)
  await assertRefused(ask(input, out, '--gpus', '5'), /GPU 5 was asked for; the devices here are .*CPU/)
  await assertRefused(ask(input, out, '--gpus', '3-1'), /Expected a list such as 0-7/)
  await assertRefused(
    ask(input, out, '--bs', '0'),
    /--bs.*Expected integer between 1 and 1024 but received 0 of type number/
  )
  await assertRefused(ask(input, out, '--bs', 'many'), /received "many" of type string/)
  await assertRefused(ask(input, out, '--ffmpeg', '/no/ffmpeg'), /Expected an executable file/)
  await assertRefused(ask(input, out, '--num-frames', '0x3'), /received "0x3" of type string/)
  await assertRefused(ask(input, out, '--root', at('none')), /Expected a folder for root but received .*none/)
  await assertRefused(ask(input, out, '--root', image), /Expected a folder for root/)
  await assertRefused(ask(input, ''), /Output "" is not a file/)
  await assertRefused(ask('C:\\in.csv', out), /Input C:\\in\.csv not found/)
  await assertRefused(['/?'], /unknown command/)
  await assertRefused(['run', input], /missing required argument 'output\.csv'/)
  await assertRefused(ask(input, out, '--no-such-flag'), /unknown option/)
  assert.ok(!fs.existsSync(out))
})

test('the model that is not there says where to put it', async () => {
  const result = await cli(['run', write('34b.csv', 'path\n'), at('never.csv')], {
    env: { VCAP_MODELS: at('models'), HF_HUB_CACHE: at('hub'), HF_HUB_OFFLINE: '1' }
  })
  assert.equal(result.status, 2)
  assert.match(
    result.stderr,
    /llava-v1\.6-34b\.gguf.*`vcap-native pull .*put .* into .*models.*--model FILE\.gguf --mmproj FILE\.gguf/
  )
})

test('model files swapped, mismatched or damaged: one line, exit code 2', async () => {
  const input = write('models.csv', `path\n${image}\n`)
  const model = path.join(root, 'models/demo/vcap-demo.gguf')
  const mmproj = path.join(root, 'models/demo/vcap-demo-mmproj.gguf')
  const ask = (a, b) => ['run', input, at('never.csv'), '--gpus', 'none', '--model', a, '--mmproj', b]
  await assertRefused(ask(mmproj, model), /./)
  await assertRefused(ask(model, model), /./)
  await assertRefused(ask(mmproj, mmproj), /./)
  await assertRefused(ask(write('text.gguf', 'this is not a model'), mmproj), /./)
  fs.writeFileSync(at('cut.gguf'), fs.readFileSync(model).subarray(0, 1_000_000))
  await assertRefused(ask(at('cut.gguf'), mmproj), /./)
  fs.writeFileSync(at('cut-mmproj.gguf'), fs.readFileSync(mmproj).subarray(0, 1_000_000))
  await assertRefused(ask(model, at('cut-mmproj.gguf')), /./)
})

test('--json: one object a line for each event', async () => {
  const result = await run(write('json.csv', `path\n${image}\ngone.png\n`), at('json-out.csv'), '--json')
  assert.equal(result.status, 3)
  const events = result.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    events
      .filter((e) => e.type === 'row')
      .map((e) => [e.index, e.path, e.status])
      .sort(),
    [
      [0, image, 'ok'],
      [1, 'gone.png', 'missing']
    ]
  )
  assert.deepEqual(events.find((e) => e.type === 'total').rows, 2)
  const finished = events.at(-1)
  assert.deepEqual(
    [finished.type, finished.rows, finished.failed, finished.statuses],
    ['finished', 2, 1, { ok: 1, missing: 1 }]
  )
  const { captioner } = events.find((e) => e.type === 'started')
  const known = ['name', 'summary', 'digest', 'settings', 'usesText', 'warnings', 'window', 'concurrency']
  assert.deepEqual(Object.keys(captioner), known)
  assert.equal(captioner.concurrency, 16)
  assert.match(captioner.summary, /^vcap demo: 1\.5 M parameters on CPU, 16 captions at once, 4096 positions each; /)
  assert.match(captioner.digest, /^[0-9a-f]{64}$/)
})

test('a context that no row fits is told before the first row', async () => {
  const input = write('narrow.csv', `path\n${image}\n`)
  const { status, stderr } = await run(input, at('narrow-out.csv'), '--ctx', '300')
  assert.equal(status, 2)
  assert.match(stderr, /No row fits: of 300 positions .* Ask for captions of up to \d+ tokens, or a longer context\n/)
  assert.ok(!fs.existsSync(at('narrow-out.csv')))
})

test('statuses truncated and context_overflow', async () => {
  const input = write('short.csv', `path\n${image}\n`)
  assert.equal((await run(input, at('short-out.csv'), '--max-tokens', '2')).status, 0)
  assert.equal(readRows(at('short-out.csv'))[0].status, 'truncated')
  const result = await run(
    write('wide.csv', `path\n${clip}\n`),
    at('wide-out.csv'),
    '--ctx',
    '256',
    '--frame-pool',
    '1',
    '--max-tokens',
    '150'
  )
  assert.equal(result.status, 3, result.stderr)
  const [row] = readRows(at('wide-out.csv'))
  assert.equal(row.status, 'context_overflow')
  assert.match(
    row.error,
    /3 images need \d+ tokens, the prompt \d+ and the answer 150: \d+ of 256 positions; use less detail, /
  )
  assert.match(row.error, /; use less detail, fewer frames, a shorter answer or a longer context$/)
  assert.equal(row.num_frames, String(samples[0].scene.length), 'it was decoded')
})

test('captions do not depend on company', async () => {
  const list = (name, rows) => write(name, ['path', ...rows].join('\n'))
  const paths = samples.map((sample) => sample.path)
  const shuffled = [...paths.slice(4), ...paths.slice(0, 4).reverse()]
  const texts = {}
  for (const [name, rows, bs] of [
    ['alone', paths, '1'],
    ['company', paths, '16'],
    ['shuffled', shuffled, '16']
  ]) {
    const result = await run(list(`${name}.csv`, rows), at(`${name}-out.csv`), '--bs', bs)
    assert.equal(result.status, 0, result.stderr)
    texts[name] = readRows(at(`${name}-out.csv`))
    assert.deepEqual(
      texts[name].map((row) => row.path),
      rows
    )
  }
  assert.deepEqual(
    texts.company.map((row) => row.text),
    texts.alone.map((row) => row.text)
  )
  const byPath = Object.fromEntries(texts.shuffled.map((row) => [row.path, row.text]))
  assert.deepEqual(
    texts.alone.map((row) => byPath[row.path]),
    texts.alone.map((row) => row.text)
  )
})

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143]
]) {
  test(`${signal} leaves the output as it was, and the same command goes on`, async () => {
    const where = temporaryFolder()
    const input = path.join(where, 'many.csv')
    const output = path.join(where, 'out.csv')
    fs.writeFileSync(input, ['path', ...Array(60).fill(at(clip))].join('\n'))
    fs.writeFileSync(output, 'what was there before\n')
    let sent = false
    const result = await run(input, output, '--json', {
      onStderr: (text, child) => {
        if (sent || !text.includes('"type":"row"')) return
        sent = true
        child.kill(signal)
      }
    })
    assert.equal(result.status, status, result.stderr.slice(-500))
    const message = `Stopped by ${signal}; what was captioned is kept, and the same command goes on`
    assert.ok(result.stderr.includes(message), result.stderr.slice(-500))
    assert.deepEqual(fs.readdirSync(where).sort(), ['many.csv', 'out.csv', 'out.csv.vcap'])
    assert.equal(fs.readFileSync(output, 'utf8'), 'what was there before\n')
    assert.ok(
      !execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .split('\n')
        .some((line) => line.startsWith('ffmpeg') && line.includes(folder)),
      'no decoder is left'
    )
    const rest = await run(input, output)
    assert.equal(rest.status, 0, rest.stderr)
    assert.match(rest.stderr, /Going on: \d+ rows? (is|are) done\n/)
    assert.equal(readRows(output).length, 60)
    const again = await run(input, output)
    assert.match(again.stderr, /This run was finished before: 60 of 60 rows captioned \(60 ok\)/)
    const other = await run(input, output, '--prompt', 'short')
    assert.equal(other.status, 2)
    assert.match(other.stderr, /prompt was not given and is "short"\. Give the options it was begun with/)
  })
}

test('a second signal ends it at once, and the same command goes on', async () => {
  const where = temporaryFolder()
  fs.writeFileSync(path.join(where, 'many.csv'), ['path', ...Array(500).fill(at(clip))].join('\n'))
  let sent = false
  const result = await run(path.join(where, 'many.csv'), path.join(where, 'out.csv'), '--json', {
    onStderr: (text, child) => {
      if (sent || !text.includes('"type":"started"')) return
      sent = true
      child.kill('SIGINT')
      setTimeout(() => child.kill('SIGINT'), 5)
    }
  })
  assert.equal(result.status, 130)
  assert.deepEqual(fs.readdirSync(where), ['many.csv', 'out.csv.vcap'])
})

test('memory stays bounded over many rows, which keep their order', async () => {
  const count = 100_000
  const stream = fs.createWriteStream(at('long.csv'))
  stream.write('id,path\n')
  for (let i = 0; i < count; i++) stream.write(`${i},no/such/folder/with/a/rather/long/name/file-${i}.mp4\n`)
  await new Promise((resolve) => stream.end(resolve))
  // A heap that could not hold the rows.
  const result = await run(at('long.csv'), at('long-out.csv'), { env: { NODE_OPTIONS: '--max-old-space-size=48' } })
  assert.equal(result.status, 3, result.stderr)
  let expected = 0
  for (const line of fs.readFileSync(at('long-out.csv'), 'utf8').trim().split('\n').slice(1)) {
    assert.ok(line.startsWith(`${expected++},no/such`) && line.includes(',missing,'), line)
  }
  assert.equal(expected, count)
})

test('the output to a stream: standard output, a pipe of the shell, a full disk', async () => {
  const input = write('stream.csv', `path\n${image}\n`)
  const { status, stdout } = await run(input, '-')
  assert.equal(status, 0)
  assert.match(stdout, /^path,text,num_frames,status,error,flags\n.*,1,ok,,\n$/)
  const args = ['run', input, '/dev/stdout', '--model', 'demo', '--gpus', 'none']
  const shell = `"$0" "$@" 2>/dev/null | cat >${at('copied.csv')}`
  execFileSync('sh', ['-c', shell, process.execPath, main, ...args])
  assert.equal(fs.readFileSync(at('copied.csv'), 'utf8'), stdout)
  if (!fs.existsSync('/dev/full')) return
  const full = await run(input, '/dev/full')
  assert.equal(full.status, 75)
  assert.match(full.stderr, /vcap-native: Output \/dev\/full cannot be written: ENOSPC.*\n$/)
})

test('an output that cannot be finished is refused at once; one that could not be is made later', async () => {
  const input = write('late.csv', `path\n${image}\n`)
  const chosen = ['--model', 'demo', '--gpus', 'none']
  fs.chmodSync(write('read-only.csv', 'before'), 0o444)
  await assertRefused(
    ['run', input, at('read-only.csv'), ...chosen],
    /read-only\.csv cannot be written: it is read-only/
  )
  assert.equal(fs.readFileSync(at('read-only.csv'), 'utf8'), 'before')
  const result = await run(input, at('late-out.csv'), '--json', {
    // Somebody makes a folder of that name meanwhile.
    onStderr: (text) => text.includes('"type":"started"') && fs.mkdirSync(at('late-out.csv'), { recursive: true })
  })
  assert.equal(result.status, 75, result.stderr)
  assert.match(result.stderr, /Output [^ ]*late-out\.csv .*directory/)
  fs.rmdirSync(at('late-out.csv'))
  const again = await run(input, at('late-out.csv'), '--json')
  assert.equal(again.status, 0, again.stderr)
  assert.doesNotMatch(again.stderr, /"type":"started"/, 'nothing is captioned again')
  assert.equal(readRows(at('late-out.csv'))[0].status, 'ok')
})
