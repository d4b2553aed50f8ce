import fs from 'node:fs'
import path from 'node:path'
import { VcapError } from './errors'
import { cacheFolder } from './folders'
import { packageFile } from './package'

/** A model of the list: the names of its files, and where it is described. */
export interface ListedModel {
  name: string
  description: string
  model: string
  mmproj: string
  /** True where the files come with this package. */
  shipped: boolean
}

/** The models that are known by name. */
export const models: readonly ListedModel[] = [
  {
    name: 'demo',
    description: 'one moving shape on a plain background; ships with the package',
    model: 'vcap-demo.gguf',
    mmproj: 'vcap-demo-mmproj.gguf',
    shipped: true
  },
  {
    name: 'llava-v1.6-34b',
    description: 'LLaVA-v1.6-34B (Nous Hermes 2 Yi)',
    model: 'llava-v1.6-34b.gguf',
    mmproj: 'llava-v1.6-34b-mmproj.gguf',
    shipped: false
  }
]

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

/** The two files of `model`, a name from the list or a GGUF file. Throws `usage`, `model_not_found`. */
export function findModel(model: string, mmproj: string | undefined): ModelFiles {
  const listed = models.find((candidate) => candidate.name === model)
  if (listed) return findListed(listed, mmproj)
  const looksLikeFile = model.endsWith('.gguf') || model.includes(path.sep)
  if (!looksLikeFile && !fs.existsSync(model)) {
    throw new VcapError(
      'model_not_found',
      `Expected one of ${models.map((m) => m.name).join(', ')} or a GGUF file as the model but received ${model}`
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
  if (mmproj) files.mmproj = path.resolve(mmproj)
  const absent = [files.model, files.mmproj].filter((file) => !fs.existsSync(file))
  if (absent.length === 0) return files
  const remedy = listed.shipped
    ? 'The package is incomplete: install it again'
    : `Put ${listed.model} and ${listed.mmproj} into ${modelFolder()} (VCAP_MODELS names another folder), ` +
      'or pass --model FILE.gguf --mmproj FILE.gguf'
  throw new VcapError('model_not_found', `Model ${listed.name}: ${absent.join(' and ')} not found. ${remedy}`)
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
