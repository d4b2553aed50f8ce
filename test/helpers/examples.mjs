import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { apiServer } from './api-server.mjs'
import { batchApi } from './batch-server.mjs'
import { main, root } from './cli.mjs'
import { startHub } from './hub-server.mjs'
import { temporaryFolder } from './media.mjs'
import { demoSamples } from './samples.mjs'

/** The code blocks of a Markdown file, fenced or indented: where each begins, its language, its lines. */
export function codeBlocks(file) {
  const blocks = []
  let block
  let fence
  for (const [index, line] of fs.readFileSync(path.join(root, file), 'utf8').split('\n').entries()) {
    const mark = /^```(\w*)/.exec(line)
    if (mark) {
      fence = fence === undefined ? mark[1] : undefined
      block = undefined
    } else if (fence !== undefined || /^ {4}\S/.test(line)) {
      if (!block) blocks.push((block = { file, line: index + 1, language: fence ?? '', lines: [] }))
      block.lines.push(fence === undefined ? line.slice(4) : line)
    } else {
      block = undefined
    }
  }
  return blocks
}

/** The lines of a block, joined where they go on, that call our command. */
export function commandsOf({ lines }) {
  const joined = lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
  // What installs is held by test/package and `npm run check:packages`.
  const shown = joined.filter((line) => !line.startsWith('#') && !/\bnpm install\b/.test(line))
  return shown.filter((line) => /(^|[\s|])(npx )?vcap-native [a-z]/.test(line))
}

/** Commands of a folder on `PATH` that start this checkout, as `npx vcap-native` would start what is installed. */
function shims() {
  const folder = temporaryFolder()
  const write = (name, text) => fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  write('npx', `test "$1" = vcap-native && shift && exec "${process.execPath}" "${main}" "$@"; exit 97`)
  write('vcap-native', `exec "${process.execPath}" "${main}" "$@"`)
  return folder
}

const demo = (name) => path.join(root, 'models', 'demo', name)

/** A place in which examples run: files of the names that the pages use, and two models that are the demo's. */
export async function openWorkshop() {
  const { folder: media, samples } = await demoSamples({ clips: 2, images: 1, largest: 96 })
  const bin = shims()
  // What the pages call OpenAI's server, and one at port 8000; the model hub.
  const server = await apiServer({ batches: batchApi({ looks: 1 }) })
  server.unref()
  const hub = await startHub({
    'cjpais/llava-1.6-mistral-7b-gguf/llava-v1.6-mistral-7b.Q4_K_M.gguf': fs.readFileSync(demo('vcap-demo.gguf')),
    'cjpais/llava-1.6-mistral-7b-gguf/mmproj-model-f16.gguf': fs.readFileSync(demo('vcap-demo-mmproj.gguf'))
  })
  hub.unref()
  const models = temporaryFolder()
  fs.symlinkSync(demo('vcap-demo.gguf'), path.join(models, 'llava-v1.6-34b.gguf'))
  fs.symlinkSync(demo('vcap-demo-mmproj.gguf'), path.join(models, 'llava-v1.6-34b-mmproj.gguf'))

  /** A fresh folder with everything in it. */
  function furnish() {
    const folder = temporaryFolder()
    const [clip, other, image] = samples.map(({ path: name }) => path.join(media, name))
    fs.mkdirSync(path.join(folder, 'clips'))
    for (const name of ['clip.mp4', 'a.mp4', 'clips/1.mp4']) fs.copyFileSync(clip, path.join(folder, name))
    for (const name of ['b.webm', 'clips/2.mp4']) fs.copyFileSync(other, path.join(folder, name))
    for (const name of ['c.jpg', 'clips/3.png']) fs.copyFileSync(image, path.join(folder, name))
    const table = 'path,text\nclips/1.mp4,a clip\nclips/2.mp4,another one\nclips/3.png,a picture\n'
    for (const name of ['samples', 'clips', 'monday', 'tuesday'])
      fs.writeFileSync(path.join(folder, `${name}.csv`), table)
    fs.writeFileSync(path.join(folder, 'prompt.txt'), 'Describe this video.')
    fs.writeFileSync(path.join(folder, 'key.txt'), 'sk-example-key', { mode: 0o600 })
    const prompts = { 'video-text': 'What happens in this video, known as "{}"?', 'image-text': 'What is "{}"?' }
    fs.writeFileSync(path.join(folder, 'prompts.json'), JSON.stringify(prompts))
    fs.symlinkSync(demo('vcap-demo.gguf'), path.join(folder, 'llava.gguf'))
    fs.symlinkSync(demo('vcap-demo-mmproj.gguf'), path.join(folder, 'llava-mmproj.gguf'))
    fs.symlinkSync(path.join(root, 'examples'), path.join(folder, 'examples'))
    fs.mkdirSync(path.join(folder, 'node_modules'))
    fs.symlinkSync(root, path.join(folder, 'node_modules', 'vcap-native'))
    return folder
  }

  /** Runs a command in a folder: its exit code and what it said. */
  function call(command, args, cwd) {
    return new Promise((resolve, reject) => {
      const env = {
        ...process.env,
        PATH: `${bin}:${process.env.PATH}`,
        VCAP_MODELS: models,
        OPENAI_BASE_URL: server.url,
        OPENAI_API_KEY: 'sk-example-key',
        HF_ENDPOINT: hub.endpoint,
        HF_HUB_CACHE: path.join(cwd, 'hub'),
        HF_HUB_OFFLINE: '0'
      }
      const here = args.map((arg) => arg.replaceAll('http://localhost:8000/v1', server.url))
      const child = spawn(command, here, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
      child.on('error', reject)
      child.on('close', (status) => resolve({ status, said }))
    })
  }
  const finished = furnish()
  const { status, said } = await call(
    'npx',
    'vcap-native run samples.csv captions.csv --model demo'.split(' '),
    finished
  )
  if (status !== 0) throw new Error(said)

  /** A fresh folder in which captions.csv is a finished run's. */
  function furnishFinished() {
    const folder = temporaryFolder()
    fs.cpSync(finished, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
    return folder
  }
  return { furnish, furnishFinished, call }
}
