import path from 'node:path'
import { VcapError } from '../errors'
import { findCached, snapshotFiles } from './hub-cache'
import type { HubSource } from './list'

/** The files of a model on the hub, of which those that nobody named are chosen by their names. */
export type HubChoice = Pick<HubSource, 'repo'> & Partial<HubSource>

/** The branch that models are taken from. */
export const revision = 'main'

/** Quantisations in the order in which one is chosen where nobody names it. */
const preferred = [/q4_k_m/i, /q4_k/i, /q5_k_m/i, /q8_0/i]

/** What `hf:OWNER/REPO[:FILE]` names; undefined for what has another form. Throws `usage`. */
export function sourceOf(model: string): HubChoice | undefined {
  if (!model.startsWith('hf:')) return undefined
  const match = /^hf:([\w.-]+\/[\w.-]+)(?::(.+\.gguf))?$/.exec(model)
  if (match) return { repo: match[1]!, ...(match[2] !== undefined && { model: match[2] }) }
  throw new VcapError('usage', `Expected hf:OWNER/REPO or hf:OWNER/REPO:FILE.gguf as the model but received ${model}`)
}

/**
 * The files of a choice among the names of a repository's files: the projector has `mmproj` in its name, the model has
 * not. Throws `model_not_found` where there is none, `usage` where there are several and none is usual.
 */
export function chooseFiles({ repo, ...named }: HubChoice, names: readonly string[]): HubSource {
  const files = names.filter((name) => name.endsWith('.gguf'))
  const model = named.model ?? choose(repo, 'model', firstParts(files.filter((name) => !isProjector(name))), preferred)
  const mmproj = named.mmproj ?? choose(repo, 'projector', files.filter(isProjector), [/f16/i])
  return { repo, model, mmproj }
}

export function isProjector(name: string): boolean {
  return /mmproj/i.test(path.basename(name))
}

/** Of a model in several files the first names it. */
function firstParts(files: string[]): string[] {
  return files.filter((name) => !/-\d{5}-of-\d{5}\.gguf$/.test(name) || name.includes('-00001-of-'))
}

function choose(repo: string, what: string, files: string[], order: RegExp[]): string {
  if (files.length === 0) throw new VcapError('model_not_found', `${repo} has no ${what} in GGUF form`)
  const usual = order.map((form) => files.filter((name) => form.test(name))).find((some) => some.length === 1)
  const chosen = files.length === 1 ? files[0] : usual?.[0]
  if (chosen !== undefined) return chosen
  throw new VcapError('usage', `${repo} has several ${what}s: name one as hf:${repo}:FILE, of ${files.join(', ')}`)
}

/** A file and, of one that is cut into parts, the others. */
export function partsOf(file: string): string[] {
  const match = /^(.*)-00001-of-(\d{5})\.gguf$/.exec(file)
  if (!match) return [file]
  const count = Number(match[2])
  return Array.from({ length: count }, (_, i) => `${match[1]}-${String(i + 1).padStart(5, '0')}-of-${match[2]}.gguf`)
}

/** The files of a model where all of them are in the cache; undefined where one is not. */
export function findCachedSource(
  choice: HubChoice,
  mmproj: string | undefined
): { model: string; mmproj: string } | undefined {
  const source = completeFrom(choice, mmproj)
  if (!source) return undefined
  const places = partsOf(source.model).map((file) => findCached({ repo: source.repo, file, revision }))
  const model = places.every((place) => place !== undefined) ? places[0] : undefined
  const projector = mmproj ?? findCached({ repo: source.repo, file: source.mmproj, revision })
  if (model === undefined || projector === undefined) return undefined
  return { model, mmproj: mmproj === undefined ? projector : path.resolve(projector) }
}

/** What nobody named is chosen among what is in the cache, as it was when that was downloaded. */
function completeFrom(choice: HubChoice, mmproj: string | undefined): HubSource | undefined {
  const given = mmproj === undefined ? {} : { mmproj: path.basename(mmproj) }
  const named = { ...choice, ...given }
  if (named.model !== undefined && named.mmproj !== undefined) return named as HubSource
  const names = snapshotFiles(choice.repo, revision)
  try {
    return names.length === 0 ? undefined : chooseFiles(named, names)
  } catch (error) {
    if (error instanceof VcapError && error.code === 'model_not_found') return undefined
    throw error
  }
}
