import { createHash } from 'node:crypto'
import fs from 'node:fs'
import type { CaptionerSettings } from './caption'
import { digestOf } from './digest'
import { formIdentity } from './form/form'
import type { ModelFiles } from './models/find'
import type { CaptionSettings, LoadSettings } from './options'
import { packageVersion } from './package'
import { eachQuestion, promptIdentity } from './prompts/question'

/** Bytes at the start of a model's file that tell it from others of its size: its header, or most of it. */
const headBytes = 1 << 18

/** What decides captions besides the options of one caption: the model's files, and how they are loaded. */
export function modelSettings(
  { model, mmproj }: ModelFiles,
  { kvType, contextPerSequence, chatTemplate }: LoadSettings
): CaptionerSettings {
  return {
    version: packageVersion,
    model: digestFile(model),
    mmproj: digestFile(mmproj),
    kvType,
    contextPerSequence,
    chatTemplate
  }
}

/** The options of one caption that decide it. */
export function captionSettings(settings: CaptionSettings): CaptionerSettings {
  const { text, numFrames, fps, resize, anyres, maxTokens, temperature, topP, seed, ...others } = settings
  const { framePool, framePoolMode, framePoolPlace, frameNewline, ignoreEos, repetitionStop, allowPartial } = others
  const { prompts } = settings
  const questions = prompts && eachQuestion(settings).map(([name, each]) => [`prompt ${name}`, promptIdentity(each)])
  return {
    ...(questions ? Object.fromEntries(questions) : { prompt: promptIdentity(settings) }),
    text: text ?? null,
    numFrames,
    fps: fps ?? null,
    resize: resize ?? null,
    anyres,
    framePool: framePool ?? null,
    framePoolMode: framePoolMode ?? null,
    framePoolPlace: framePoolPlace ?? null,
    frameNewline: frameNewline ?? null,
    maxTokens,
    temperature,
    topP,
    seed,
    ignoreEos,
    repetitionStop,
    allowPartial,
    ...formIdentity(settings)
  }
}

/** One for each set of settings. */
export function digestSettings(settings: CaptionerSettings): string {
  return digestOf('sha256', JSON.stringify(settings), 'hex')
}

/** Of a file's head, size and time: reading all of a model takes minutes. */
function digestFile(file: string): string {
  const descriptor = fs.openSync(file, 'r')
  try {
    const { size, mtimeMs } = fs.fstatSync(descriptor)
    const head = Buffer.alloc(Math.min(size, headBytes))
    fs.readSync(descriptor, head, 0, head.length, 0)
    return createHash('sha256').update(`${size} ${mtimeMs}\n`).update(head).digest('hex').slice(0, 32)
  } finally {
    fs.closeSync(descriptor)
  }
}
