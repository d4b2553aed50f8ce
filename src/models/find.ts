import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from '../errors'
import { formatBytes } from '../download-event'
import { cacheFolder } from '../folders'
import { packageFile } from '../package'
import { findCachedSource, sourceOf } from './source'
import { models, sizeOnHub, type ListedModel } from './list'

export interface ModelFiles {
  model: string
  mmproj: string
}

/** Where the files of listed models that do not ship with the package are kept. Throws `model_not_found`. */
export function modelFolder(): string {
  if (process.env.VCAP_MODELS) return process.env.VCAP_MODELS
  const cache = cacheFolder()
  if (cache !== undefined) return path.join(cache, 'vcap-native', 'models')
  throw new VcapError(
    'model_not_found',
    'There is no folder for models, since HOME is not set and this user has no home folder: ' +
      'name one with VCAP_MODELS, or pass --model FILE.gguf --mmproj FILE.gguf'
  )
}

/** Throws `model_not_found` where there is no folder for models. */
export function listedFiles(listed: ListedModel): ModelFiles {
  const folder = listed.shipped ? packageFile('models', 'demo') : modelFolder()
  return { model: path.join(folder, listed.model), mmproj: path.join(folder, listed.mmproj) }
}

/**
 * The two files of `model`, a name from the list, `hf:OWNER/REPO[:FILE]` or a GGUF file, where they are on this
 * machine.
 * Throws `usage`, `model_not_found`.
 */
export function findModel(model: string, mmproj: string | undefined): ModelFiles {
  const listed = models.find((candidate) => candidate.name === model)
  if (listed) return findListed(listed, mmproj)
  const source = sourceOf(model)
  if (source) {
    const cached = findCachedSource(source, mmproj)
    if (cached) return cached
    throw new VcapError(
      'model_not_found',
      `${model} is not on this machine: \`vcap-native pull ${model}\` downloads it`
    )
  }
  const looksLikeFile = model.endsWith('.gguf') || model.includes(path.sep)
  if (!looksLikeFile && !fs.existsSync(model)) {
    throw new VcapError(
      'model_not_found',
      `Expected one of ${models.map((m) => m.name).join(', ')}, hf:OWNER/REPO or a GGUF file as the model ` +
        `but received ${model}`
    )
  }
  requireFile(model, 'Model')
  if (!mmproj)
    throw new VcapError('usage', `A model file needs its projector: pass mmproj (--mmproj FILE.gguf) with ${model}`)
  requireFile(mmproj, 'Projector')
  return { model: path.resolve(model), mmproj: path.resolve(mmproj) }
}

function findListed(listed: ListedModel, mmproj: string | undefined): ModelFiles {
  const files = listedFiles(listed)
  if (mmproj) {
    requireFile(mmproj, 'Projector')
    files.mmproj = path.resolve(mmproj)
  }
  const absent = [files.model, files.mmproj].filter((file) => !fs.existsSync(file))
  if (absent.length === 0) return files
  const cached = listed.source && findCachedSource(listed.source, mmproj)
  if (cached) return cached
  const remedy = listed.shipped
    ? 'The package is incomplete: install it again'
    : `\`vcap-native pull ${listed.name}\` downloads it${sizeOf(listed)}; or put ${listed.model} and ` +
      `${listed.mmproj} ` +
      `into ${modelFolder()} (VCAP_MODELS names another folder), or pass --model FILE.gguf --mmproj FILE.gguf`
  throw new VcapError('model_not_found', `Model ${listed.name}: ${absent.join(' and ')} not found. ${remedy}`)
}

function sizeOf(listed: ListedModel): string {
  const size = sizeOnHub(listed)
  return size ? ` (${formatBytes(size.bytes)})` : ''
}

function requireFile(file: string, what: string): void {
  const stat = statFile(file, what)
  if (!stat) throw new VcapError('model_not_found', `${what} file ${file} not found`)
  if (!stat.isFile()) throw new VcapError('model_not_found', `${what} file ${file} is not a file`)
}

function statFile(file: string, what: string): fs.Stats | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false })
  } catch (cause) {
    throw new VcapError('model_not_found', `${what} file ${file} cannot be reached: ${(cause as Error).message}`, {
      cause
    })
  }
}
