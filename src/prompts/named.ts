import { VcapError } from '../errors'

/** What a caption of several may be named: it is a column of the output, and a part of a sidecar's name. */
export const captionNamePattern = /^\p{L}[\p{L}\p{N}_-]{0,63}$/u

/**
 * What is asked, as it was written: one question, or several as `name=question`. A question that begins as a name and
 * `=` does is one with a name; a blank before it makes it a question. Throws `usage`.
 */
export function readQuestions(written: string[]): { prompt?: string; prompts?: Record<string, string> } {
  const named = written.map((text) => {
    const [, name, question] = /^([^\s=]+)=(.*)$/s.exec(text) ?? []
    return name !== undefined && captionNamePattern.test(name) ? ([name, question!] as const) : undefined
  })
  if (written.length === 1 && !named[0]) return { prompt: written[0]! }
  const nameless = named.findIndex((each) => !each)
  if (nameless >= 0) {
    const seen = JSON.stringify(written[nameless]!.slice(0, 40))
    throw new VcapError('usage', `Several prompts need a name each, as in short=short: ${seen} has none`)
  }
  const questions = named as (readonly [string, string])[]
  for (const [index, [name, question]] of questions.entries()) {
    if (question.trim() === '') throw new VcapError('usage', `The prompt ${name} is empty: write ${name}=QUESTION`)
    const isTwice = questions.slice(0, index).some(([other]) => other.toLowerCase() === name.toLowerCase())
    if (isTwice) throw new VcapError('usage', `Two prompts are named ${name}: rename one`)
  }
  return { prompts: Object.fromEntries(questions) }
}
