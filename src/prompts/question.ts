import { counterpartOf, presets as ownPresets, textlessOf, type MediaKind, type PromptPreset } from './presets'
import { fillTemplate, parseTemplate, type TemplatePart } from './template'

/** What is asked of every row. */
export interface PromptSettings {
  /** A preset's name or the question itself; by the number of pictures when left out. */
  prompt?: string | undefined
  /** Several of such by name, instead of the one. */
  prompts?: Record<string, string> | undefined
  /** Presets of the user's own, which come before ours. */
  presets?: Record<string, PromptPreset> | undefined
}

/** What a question depends on of one row. */
export interface PromptRow {
  /** Pictures that are sent. */
  images: number
  /** What the file is; undefined where nobody knows, and the preset is then asked as it is named. */
  kind?: MediaKind | undefined
  /** What `{}` stands for. */
  text?: string | undefined
  /** What `{column}` stands for, by column. */
  cells?: Record<string, string> | undefined
}

/** Presets of one origin: a preset's counterparts are among those beside it. */
type PresetSet = Record<string, PromptPreset>

/** A preset that was found, and those beside it. */
interface Chosen {
  name: string
  preset: PromptPreset
  beside: PresetSet
}

/**
 * The question for a row. A preset of the other kind of media gives way to its counterpart (`video-text` to
 * `image-text`), one that takes the text to the one that does not where the row has none. `{}` and `{column}` become
 * the row's text and cells to the letter; missing ones, which data frames write as `nan`, become nothing.
 */
export function buildPrompt(settings: PromptSettings, row: PromptRow): string {
  const { prompt, presets = {} } = settings
  const text = cellText(row.text)
  const chosen = choose(prompt ?? (row.images > 1 ? 'video' : 'image'), presets)
  // Nobody named a preset: the pictures alone decide, of which a video may have one.
  const kind = prompt === undefined ? undefined : row.kind
  const template = typeof chosen === 'string' ? chosen : forRow(chosen, { ...row, kind }, text === '').preset.text
  return fillTemplate(parse(template), (column) => {
    if (column === '') return text
    const cells = row.cells ?? {}
    return Object.hasOwn(cells, column) ? cellText(cells[column]) : undefined
  })
}

/** What is asked of every row: the one question, or each of several. */
export function eachQuestion({
  prompt,
  prompts,
  presets
}: PromptSettings): [name: string | undefined, PromptSettings][] {
  if (!prompts) return [[undefined, { prompt, presets }]]
  return Object.entries(prompts).map(([name, prompt]) => [name, { prompt, presets }])
}

/** Whether a row's text can go into its question, or one of them. */
export function takesText(settings: PromptSettings): boolean {
  return placesOfAll(settings).includes('')
}

/** The names in braces that can be columns whose cells go into questions, besides the text's. */
export function columnsOf(settings: PromptSettings): string[] {
  return placesOfAll(settings).filter((column) => column !== '')
}

/** How many frames of a video the prompt, or the first that does so, speaks of; undefined where none does. */
export function framesOf(settings: PromptSettings): number | undefined {
  const spoken = eachQuestion(settings).map(([, { prompt, presets = {} }]) => {
    const chosen = prompt === undefined ? undefined : choose(prompt, presets)
    return typeof chosen === 'object' ? chosen.preset.frames : undefined
  })
  return spoken.find((frames) => frames !== undefined)
}

/**
 * What decides the questions of a run, readable: a preset's name or the question, and of presets of the user's own the
 * texts of all that a row can be asked.
 */
export function promptIdentity(settings: PromptSettings): string | null {
  const { prompt, presets = {} } = settings
  const reached = reachable(settings)
  if (!reached.some(({ beside }) => beside === presets)) return prompt ?? null
  return reached.length === 1
    ? reached[0]!.preset.text
    : reached.map(({ name, preset }) => `${name}: ${preset.text}`).join('\n')
}

/** What the user should know of the prompt chosen: one sentence each. */
export function promptWarnings({ numFrames, ...settings }: PromptSettings & { numFrames: number }): string[] {
  return eachQuestion(settings).flatMap(([, question]) => warningsOf(question, numFrames))
}

function warningsOf(settings: PromptSettings, numFrames: number): string[] {
  const { prompt } = settings
  const warnings: string[] = []
  const frames = framesOf(settings)
  if (frames !== undefined && frames !== numFrames) {
    const spoken = frames === 1 ? '1 frame' : `${frames} frames`
    warnings.push(`The prompt ${prompt} speaks of ${spoken} of a video, and ${numFrames} are taken`)
  }
  if (prompt !== undefined && /^[\w-]+$/.test(prompt) && reachable(settings).length === 0) {
    warnings.push(`No preset is named ${prompt}: this word is the question itself`)
  }
  return warnings
}

function choose(prompt: string, presets: PresetSet): Chosen | string {
  for (const beside of [presets, ownPresets] as PresetSet[]) {
    if (Object.hasOwn(beside, prompt)) return { name: prompt, preset: beside[prompt]!, beside }
  }
  return prompt
}

function forRow(chosen: Chosen, { kind, images }: Pick<PromptRow, 'kind' | 'images'>, isTextless: boolean): Chosen {
  const { preset, name } = chosen
  const isOther = kind !== undefined && preset.type !== undefined && preset.type !== kind
  const ofKind = (isOther && besides(chosen, counterpartOf(name, images), kind)) || chosen
  if (!isTextless || !parse(ofKind.preset.text).some(isTextPlace)) return ofKind
  const without = besides(ofKind, textlessOf(ofKind.name), ofKind.preset.type)
  return without && !parse(without.preset.text).some(isTextPlace) ? without : ofKind
}

function besides({ beside }: Chosen, name: string, type: MediaKind | undefined): Chosen | undefined {
  const preset = Object.hasOwn(beside, name) ? beside[name]! : undefined
  return preset && preset.type === type ? { name, preset, beside } : undefined
}

/** Every preset that some row can be asked; none where the prompt is the question itself. */
function reachable({ prompt, presets = {} }: PromptSettings): Chosen[] {
  const found = new Map<PromptPreset, Chosen>()
  for (const name of prompt === undefined ? ['image', 'video'] : [prompt]) {
    const chosen = choose(name, presets)
    if (typeof chosen === 'string') continue
    for (const kind of [undefined, 'image', 'video'] as const) {
      for (const images of [1, 3]) {
        for (const isTextless of [false, true]) {
          const asked = forRow(chosen, { kind, images }, isTextless)
          found.set(asked.preset, asked)
        }
      }
    }
  }
  return [...found.values()]
}

function placesOfAll(settings: PromptSettings): string[] {
  return [...new Set(eachQuestion(settings).flatMap(([, question]) => places(question)))]
}

/** The columns for which there are places in what a row can be asked; `''` is the text's. */
function places(settings: PromptSettings): string[] {
  const reached = reachable(settings).map(({ preset }) => preset.text)
  const templates = reached.length > 0 ? reached : [settings.prompt ?? '']
  const columns = templates.flatMap((text) => parse(text)).flatMap((part) => ('column' in part ? [part.column] : []))
  return [...new Set(columns)]
}

function isTextPlace(part: TemplatePart): boolean {
  return 'column' in part && part.column === ''
}

/** A cell as it goes into a question: nothing for what data frames write where nothing is. */
function cellText(cell: string | undefined): string {
  return cell === undefined || /^\s*(nan|none|null)?\s*$/i.test(cell) ? '' : cell.trim()
}

/** The rows of a run have a few questions. */
const parsed = new Map<string, TemplatePart[]>()
const mostParsed = 32

function parse(text: string): TemplatePart[] {
  const known = parsed.get(text)
  if (known) return known
  if (parsed.size === mostParsed) parsed.clear()
  const parts = parseTemplate(text)
  parsed.set(text, parts)
  return parts
}
