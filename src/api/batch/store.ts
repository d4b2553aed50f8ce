import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { VcapError } from '../../errors'
import { replaceDurably, syncFolder } from '../../folders'
import type { ApiAnswer } from '../answer'

/*
 * What is known of a run's batches, in a folder of its journal's. Each step is recorded before the next one begins, so
 * that whoever goes on after a kill knows what may have been begun.
 */

/** `sealed`: its file is whole, and may be at the server. `uploaded`: it is there, and may have a batch. */
const states = ['sealed', 'uploaded', 'created', 'collected'] as const

const partSchema = z.object({
  /** Of the run, and the part's number in it: a batch's metadata have both. */
  run: z.string(),
  part: z.int().min(1),
  state: z.enum(states),
  rows: z.array(z.object({ id: z.string(), numFrames: z.int().nullable(), partial: z.literal(true).optional() })),
  /** Bytes of the file of requests. */
  bytes: z.number(),
  /** Dollars that it may cost. */
  estimate: z.number(),
  inputFile: z.string().optional(),
  batch: z.string().optional(),
  /** Batches that were made of it and failed. */
  failed: z.int().min(0),
  /** The server's files with the answers. */
  outputFiles: z.array(z.string())
})

export type Part = z.output<typeof partSchema>
export type PartRow = Part['rows'][number]

/** An answer that was paid for, until its row's record is on the disk. */
export interface KeptAnswer {
  id: string
  answer: ApiAnswer
  cost?: number | undefined
}

export class PartStore {
  readonly #folder: string
  readonly parts: Part[]
  /** Of the parts of this call: no two parts of any call have both it and their number in common. */
  readonly run = randomBytes(8).toString('hex')
  #last: number

  /** Throws `read_failed`. */
  constructor(folder: string) {
    this.#folder = path.join(folder, 'batches')
    this.parts = fs.existsSync(this.#folder) ? readParts(this.#folder) : []
    this.#last = Math.max(0, ...this.parts.map(({ part }) => part))
  }

  /** A new part's number. */
  nextNumber(): number {
    return ++this.#last
  }

  /** Where a part's requests are, under the name that they have at the server. */
  requestFile({ run, part }: Pick<Part, 'run' | 'part'>): string {
    return path.join(this.#folder, requestFileName({ run, part }))
  }

  makeFolder(): void {
    fs.mkdirSync(this.#folder, { recursive: true })
    syncFolder(path.dirname(this.#folder))
  }

  /** On the disk when it returns. Throws `write_failed`. */
  save(part: Part): void {
    if (!this.parts.includes(part)) this.parts.push(part)
    this.#write(`part-${part.part}.json`, JSON.stringify(part))
  }

  /** As `save`. */
  saveAnswers({ part }: Part, answers: KeptAnswer[]): void {
    this.#write(`answers-${part}.jsonl`, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''))
  }

  /** Throws `read_failed`. */
  readAnswers({ part }: Part): KeptAnswer[] {
    const file = path.join(this.#folder, `answers-${part}.jsonl`)
    try {
      const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)
      return lines.map((line) => JSON.parse(line) as KeptAnswer)
    } catch (error) {
      throw new VcapError('read_failed', `${file} cannot be read: ${(error as Error).message}`, { cause: error })
    }
  }

  /** A part's requests are at the server now. */
  dropRequests(part: Part): void {
    fs.rmSync(this.requestFile(part), { force: true })
  }

  /** Forgets a part. */
  drop(part: Part): void {
    this.parts.splice(this.parts.indexOf(part), 1)
    for (const name of [`part-${part.part}.json`, `answers-${part.part}.jsonl`]) {
      fs.rmSync(path.join(this.#folder, name), { force: true })
    }
    this.dropRequests(part)
    if (this.parts.length === 0) fs.rmSync(this.#folder, { recursive: true, force: true })
  }

  #write(name: string, text: string): void {
    replaceDurably(path.join(this.#folder, name), text)
  }
}

export function requestFileName({ run, part }: Pick<Part, 'run' | 'part'>): string {
  return `vcap-${run}-${part}.jsonl`
}

function readParts(folder: string): Part[] {
  const names = fs.readdirSync(folder).filter((name) => /^part-\d+\.json$/.test(name))
  return names
    .map((name) => {
      const file = path.join(folder, name)
      try {
        return partSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8')))
      } catch (error) {
        const what = `${file} is damaged: what it says of a batch that is under way is lost. --restart begins anew`
        throw new VcapError('read_failed', what, { cause: error })
      }
    })
    .sort((a, b) => a.part - b.part)
}
