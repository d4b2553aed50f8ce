import { z } from 'zod'
import { VcapError } from '../errors'
import { describe } from './check'
import { bench, demo, plan } from './plan'
import { gpt4, run } from './run'
import { diff, exporting, join, merge, samples, split } from './tables'

/** The commands' schemas: a command has a flag for each option that it can be given as text. */
const commands = { run, gpt4, bench, plan, demo, samples, export: exporting, merge, diff, join, split }

export type CommandName = keyof typeof commands

/** One option of a command, for a flag. */
export interface OptionField {
  /** Of the option where it is left out; undefined where it has none. */
  initial: unknown
  /** How its text is read. */
  kind: 'text' | 'number' | 'list' | 'numbers' | 'flag'
  /** The value, checked; throws `usage`, saying what was expected. */
  check: (value: unknown) => unknown
}

/** Throws nothing; undefined where the command has no such option. */
export function optionField(command: CommandName, option: string): OptionField | undefined {
  const field = (commands[command].shape as Record<string, z.ZodType>)[option]
  if (!field) return undefined
  return {
    initial: field.safeParse(undefined).data,
    kind: kindOf(field),
    check: (value) => {
      const result = field.safeParse(value)
      if (result.success) return result.data
      throw new VcapError('usage', `Expected ${field.description} but received ${describe(value)}`)
    }
  }
}

function kindOf(field: z.ZodType): OptionField['kind'] {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault) return kindOf(field.unwrap() as z.ZodType)
  if (field instanceof z.ZodTuple) return 'numbers'
  if (field instanceof z.ZodArray) return field.element instanceof z.ZodNumber ? 'numbers' : 'list'
  if (field instanceof z.ZodBoolean) return 'flag'
  const isNumberOrWord = field instanceof z.ZodUnion && field.options.some((option) => option instanceof z.ZodLiteral)
  return field instanceof z.ZodNumber || isNumberOrWord ? 'number' : 'text'
}
