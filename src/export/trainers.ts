import path from 'node:path'
import { stringify } from 'csv-stringify/sync'
import { VcapError } from '../errors'
import type { MediaKind } from '../prompts/presets'
import type { ExportRow } from './captions'
import { DatasetFolder, makeFolder } from './dataset-folder'
import { TextFile } from './text-file'

export const trainerNames = ['musubi', 'ltx', 'finetrainers', 'hf-folder'] as const

export type TrainerName = (typeof trainerNames)[number]

/** A trainer's dataset while it is written. */
export interface Dataset {
  /** The files that it is made of, those that appear with rows in them. */
  readonly files: TextFile[]
  /** Links that were made. */
  readonly linked: number
  /** False where this trainer cannot have such a row. */
  add(row: ExportRow): boolean
  /** Says what its user should know. */
  warnings(): string[]
}

/** Where a dataset goes: a folder, or a file of a name that the trainer reads. */
export interface DatasetPlace {
  folder: string
  /** Name of the file, where one was named. */
  file?: string | undefined
  /** Whether it is of both kinds. */
  isMixed: boolean
}

/**
 * What each trainer reads, by its own documentation; each opens a dataset. Throws `usage` where the place is none for
 * it, and `output_unwritable`.
 */
export const trainers: Record<TrainerName, (place: DatasetPlace) => Dataset> = {
  // kohya-ss/musubi-tuner, docs/dataset_config.md: a JSONL for videos, another for images; paths as they stand.
  musubi: (place) => {
    requireEnding(place, ['.jsonl'])
    if (place.isMixed && place.file !== undefined) {
      throw new VcapError('usage', `There are videos and images, and ${place.file} holds one kind: name a folder`)
    }
    const fileOf = (kind: MediaKind) => path.join(place.folder, place.file ?? `${kind}s.jsonl`)
    return new EachKind((kind) => {
      const file = new TextFile(fileOf(kind))
      const add = ({ path: name, text }: ExportRow) => {
        file.write(toJson({ [`${kind}_path`]: name, caption: text }))
        return true
      }
      return { files: [file], add }
    })
  },
  // Lightricks/LTX-Video-Trainer and LTX-2: one file of all; paths below the file's folder.
  ltx: (place) => {
    requireEnding(place, ['.json', '.jsonl', '.csv'])
    return new LtxDataset(place)
  },
  // a-r-r-o-w/finetrainers, docs/dataset: two lists of the same length, of one kind, in the dataset's folder.
  finetrainers: (place) => {
    requireEnding(place, [])
    return new EachKind((kind) => {
      const folder = new DatasetFolder(kindFolder(place, kind))
      const captions = new TextFile(path.join(folder.path, 'prompts.txt'))
      const names = new TextFile(path.join(folder.path, `${kind}s.txt`))
      const add = (row: ExportRow) => {
        if (lineEnds.test(row.path)) return false
        names.write(`${folder.nameOf(row.path)}\n`)
        captions.write(`${row.text.split(lineEnds).join(' ')}\n`)
        return true
      }
      return { files: [captions, names], add, folder }
    })
  },
  // huggingface/datasets, ImageFolder and VideoFolder: metadata beside the files.
  'hf-folder': (place) => {
    requireEnding(place, ['metadata.csv', 'metadata.jsonl'])
    const name = place.file ?? 'metadata.csv'
    return new EachKind((kind) => {
      const folder = new DatasetFolder(kindFolder(place, kind))
      const file = new TextFile(path.join(folder.path, name))
      const isCsv = name.endsWith('.csv')
      if (isCsv) file.write('file_name,text\n')
      const add = (row: ExportRow) => {
        const values = { file_name: folder.nameOf(row.path), text: row.text }
        file.write(isCsv ? stringify([Object.values(values)]) : toJson(values))
        return true
      }
      return { files: [file], add, folder }
    })
  }
}

/** What ends a line for Python, which the lists of finetrainers are read by. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const lineEnds = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/

function toJson(values: Record<string, string>): string {
  return `${JSON.stringify(values)}\n`
}

/** A folder of each kind where there are both. */
function kindFolder({ folder, isMixed }: DatasetPlace, kind: MediaKind): string {
  if (!isMixed) return folder
  const own = path.join(folder, `${kind}s`)
  makeFolder(own)
  return own
}

function requireEnding({ file }: DatasetPlace, endings: string[]): void {
  if (file === undefined || endings.some((ending) => file.endsWith(ending))) return
  const expected = endings.length === 0 ? 'a folder' : `a folder, or a file ${endings.join(' or ')}`
  throw new VcapError('usage', `Expected ${expected} for this trainer but received ${file}`)
}

/** The dataset of one kind. */
interface KindDataset {
  files: TextFile[]
  add(row: ExportRow): boolean
  folder?: DatasetFolder
}

/** Videos and images apart. A kind that does not occur leaves nothing. */
class EachKind implements Dataset {
  readonly #open: (kind: MediaKind) => KindDataset
  readonly #kinds = new Map<MediaKind, KindDataset>()

  constructor(open: (kind: MediaKind) => KindDataset) {
    this.#open = open
  }

  get files(): TextFile[] {
    return [...this.#kinds.values()].flatMap(({ files }) => files)
  }

  get linked(): number {
    return [...this.#kinds.values()].reduce((sum, { folder }) => sum + (folder?.linked ?? 0), 0)
  }

  add(row: ExportRow): boolean {
    const dataset = this.#kinds.get(row.kind) ?? this.#open(row.kind)
    this.#kinds.set(row.kind, dataset)
    return dataset.add(row)
  }

  warnings(): string[] {
    return []
  }
}

/** Of an image the trainer reads these endings, and takes every other file for a video. */
const ltxImages = /\.(png|jpe?g)$/i

class LtxDataset implements Dataset {
  readonly files: TextFile[]
  readonly #folder: DatasetFolder
  readonly #ending: string
  /** What the trainer keeps of a file has its name without the ending. */
  readonly #names = new Set<string>()
  #rows = 0
  #alike = ''
  #unread = ''

  constructor({ folder, file = 'dataset.json' }: DatasetPlace) {
    this.#folder = new DatasetFolder(folder)
    this.#ending = path.extname(file)
    this.files = [new TextFile(path.join(folder, file))]
    if (this.#ending === '.csv') this.files[0]!.write('caption,media_path\n')
    if (this.#ending === '.json') {
      this.files[0]!.write('[')
      this.files[0]!.footer = '\n]\n'
    }
  }

  get linked(): number {
    return this.#folder.linked
  }

  add(row: ExportRow): boolean {
    const name = this.#folder.nameOf(row.path)
    // The trainer takes blanks at a path's ends away.
    if (name !== name.trim()) return false
    this.#look(name, row)
    const values = { caption: row.text, media_path: name }
    const [file] = this.files
    if (this.#ending === '.csv') file!.write(stringify([Object.values(values)]))
    else if (this.#ending === '.jsonl') file!.write(toJson(values))
    else file!.write(`${this.#rows === 0 ? '' : ','}\n  ${JSON.stringify(values)}`)
    this.#rows++
    return true
  }

  warnings(): string[] {
    return [
      ...(this.#alike ? [`${this.#alike} has the name of another file but for its ending: the trainer keeps one`] : []),
      ...(this.#unread ? [`${this.#unread} is an image that the trainer takes for a video: make it a PNG or JPEG`] : [])
    ]
  }

  #look(name: string, { kind }: ExportRow): void {
    const stem = name.slice(0, name.length - path.extname(name).length)
    if (this.#names.has(stem)) this.#alike ||= name
    this.#names.add(stem)
    if (kind === 'image' && !ltxImages.test(name)) this.#unread ||= name
  }
}
