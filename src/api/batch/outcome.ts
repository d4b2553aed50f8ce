import { VcapError } from '../../errors'
import { readAnswer, refused, type ApiAnswer } from '../answer'
import { faultOfStatus, Malformed, oneLine, type Fault } from '../fault'

/** What became of one request of a batch. */
export type Outcome =
  | { kind: 'answer'; answer: ApiAnswer; cost?: number | undefined }
  | { kind: 'row'; error: VcapError }
  /** Not asked, or with a fault that may pass. */
  | { kind: 'again'; message: string }
  /** No row can be asked. */
  | { kind: 'run'; fault: Fault & { kind: 'run' } }

/** Whether a request that was refused so is to be written anew. */
type Adapt = (refusal: { status: number; param: string; message: string }) => boolean

/** What a line of a batch's answers says, and of which request; undefined for a line that says nothing. */
export function readOutcome(line: string, adapt: Adapt): { id: string; outcome: Outcome } | undefined {
  const said = parse(line)
  const id = said?.custom_id
  if (typeof id !== 'string') return undefined
  const { response, error } = said!
  if (!response) {
    const { code = '', message = '' } = error ?? {}
    return { id, outcome: { kind: 'again', message: oneLine(`${code} ${message}`) } }
  }
  return { id, outcome: outcomeOf(response, adapt) }
}

function outcomeOf({ status_code: status, body }: ResponseLine, adapt: Adapt): Outcome {
  if (status === 200) {
    try {
      return { kind: 'answer', answer: readAnswer(body) }
    } catch (error) {
      if (error instanceof Malformed) return { kind: 'again', message: error.message }
      throw error
    }
  }
  const { code, type, message, param } = body?.error ?? {}
  const isAdapted = adapt({ status: Number(status), param: String(param ?? ''), message: String(message ?? '') })
  if (isAdapted) return { kind: 'again', message: String(message) }
  const fault = faultOfStatus({
    status: Number(status) || 500,
    code: `${code ?? ''} ${type ?? ''}`,
    message: oneLine(`${status} ${message ?? ''}`)
  })
  if (fault.kind === 'refusal') {
    return { kind: 'answer', answer: refused(`The server refused: ${fault.message}`, null) }
  }
  if (fault.kind === 'row') {
    return { kind: 'row', error: new VcapError(fault.code, `The server refused it: ${fault.message}`) }
  }
  return fault.kind === 'run' ? { kind: 'run', fault } : { kind: 'again', message: fault.message }
}

interface ResponseLine {
  status_code?: unknown
  body?: { error?: { code?: string; type?: string; message?: string; param?: string } }
}

interface Line {
  custom_id?: unknown
  response?: ResponseLine | null
  error?: { code?: string; message?: string } | null
}

function parse(line: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
