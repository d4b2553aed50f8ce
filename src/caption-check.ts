import { z } from 'zod'
import { isRowErrorCode, VcapError } from './errors'
import type { EngineTime, RowCaption, RowCaptioner } from './caption'

/*
 * What strangers hand in is checked here: a captioner when a run begins, and each record that it answers.
 */

const called = z.custom<(...values: never[]) => unknown>((value) => typeof value === 'function', 'a function')
const count = z.int().min(0)
const atLeastOne = z.int().min(1)

const captioner = z.object({
  info: z.object({
    name: z.string(),
    summary: z.string(),
    digest: z.string(),
    settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
    usesText: z.boolean().optional(),
    usesColumns: z.array(z.string()).optional(),
    captions: z.array(z.string().min(1)).min(1).optional(),
    warnings: z.array(z.string()),
    window: atLeastOne,
    concurrency: atLeastOne
  }),
  captionRow: called,
  engineTime: called.optional(),
  handedIn: called.optional(),
  recorded: called.optional(),
  close: called
})

/** Whether it is a status that a row may have. */
export const isStatus = (status: unknown): boolean =>
  status === 'ok' ||
  status === 'truncated' ||
  status === 'empty' ||
  (typeof status === 'string' && isRowErrorCode(status))

const answer = {
  status: z.custom<RowCaption['status']>(isStatus, 'a row status'),
  text: z.string(),
  error: z.string().nullable(),
  usage: z
    .object({
      imageTokens: count,
      promptTokens: count,
      tokens: count,
      tiles: count.optional(),
      framePool: count.optional(),
      cost: z.number().min(0).optional()
    })
    .nullable(),
  flags: z.array(z.string().regex(/^[a-z][a-z0-9_]*$/, 'a name in small letters')).optional(),
  retry: z.enum(['replaced', 'kept']).optional()
}
const { status, text, ...rest } = answer
// In the order that journals and events have.
const caption = z.object({
  status,
  text,
  numFrames: count.nullable(),
  ...rest,
  partial: z.literal(true).optional(),
  replica: count.optional(),
  captions: z.record(z.string(), z.object(answer)).optional()
})

const engineTime = z.object({ engines: atLeastOne, busy: z.number().min(0), filled: z.number().min(0) })

/** Throws `usage`, saying which part is missing or wrong. */
export function requireRowCaptioner(value: unknown): asserts value is RowCaptioner {
  const { success, error } = captioner.safeParse(value)
  if (success) return
  const what = `Expected a captioner with info, captionRow and close, but ${fault(error)}`
  const hint = isLoadedModel(value) ? '. For a loaded model pass captioner.rows(options)' : ''
  throw new VcapError('usage', what + hint)
}

/** The record that a captioner answered. Throws `usage`, saying which part is missing or wrong. */
export function requireRowCaption(value: unknown): RowCaption {
  const { success, data, error } = caption.safeParse(value)
  if (success) return data
  throw new VcapError('usage', `The captioner did not answer with a RowCaption: ${fault(error)}`)
}

/** What a captioner answered of its engines. Throws `usage`, saying which part is missing or wrong. */
export function requireEngineTime(value: unknown): EngineTime {
  const { success, data, error } = engineTime.safeParse(value)
  if (success) return data
  throw new VcapError('usage', `The captioner did not answer engineTime with an EngineTime: ${fault(error)}`)
}

function fault(error: z.ZodError): string {
  const { path, message } = error.issues[0]!
  return path.length === 0 ? message : `${path.join('.')} is wrong: ${message}`
}

function isLoadedModel(value: unknown): boolean {
  return typeof (value as { rows?: unknown } | null)?.rows === 'function'
}
