/** Exit codes of the command, and which errors lead to them. */
export const exitCodes = {
  /** Every row captioned. */
  ok: 0,
  /** `diff` alone: the tables differ. */
  different: 1,
  /** Wrong usage or configuration, found before the first row wherever it can be; no output. */
  usage: 2,
  /** Finished, and some rows have no caption. */
  rowsFailed: 3,
  /** Stopped by a fault that a rerun may pass. */
  stopped: 75,
  /** 128 + signal number. */
  hangup: 129,
  interrupted: 130,
  terminated: 143
} as const

const errors = {
  // Asked for something that cannot be. A captioner of somebody's own may show it only at a row.
  usage: exitCodes.usage,
  addon_missing: exitCodes.usage,
  ffmpeg_missing: exitCodes.usage,
  model_not_found: exitCodes.usage,
  model_invalid: exitCodes.usage,
  model_mismatch: exitCodes.usage,
  device_unavailable: exitCodes.usage,
  out_of_memory: exitCodes.usage,
  csv_invalid: exitCodes.usage,
  key_refused: exitCodes.usage,
  table_invalid: exitCodes.usage,
  output_unwritable: exitCodes.usage,
  run_differs: exitCodes.usage,
  run_locked: exitCodes.usage,
  // One video or image: a row gets the code as its status, the others go on.
  missing: exitCodes.rowsFailed,
  unreadable: exitCodes.rowsFailed,
  no_frames: exitCodes.rowsFailed,
  context_overflow: exitCodes.rowsFailed,
  engine_error: exitCodes.rowsFailed,
  // The run as a whole.
  engine_lost: exitCodes.stopped,
  decoder_lost: exitCodes.stopped,
  too_many_failures: exitCodes.stopped,
  key_expired: exitCodes.stopped,
  quota_exhausted: exitCodes.stopped,
  cost_limit: exitCodes.stopped,
  read_failed: exitCodes.stopped,
  write_failed: exitCodes.stopped,
  download_failed: exitCodes.stopped,
  closed: exitCodes.stopped,
  aborted: exitCodes.interrupted,
  internal: exitCodes.stopped
} as const

export type ErrorCode = keyof typeof errors

/** Codes that concern one row only, which are its status in the output. */
export const rowErrorCodes = ['missing', 'unreadable', 'no_frames', 'context_overflow', 'engine_error'] as const

export type RowErrorCode = (typeof rowErrorCodes)[number]

/** Whether an error concerns one row only. */
export function isRowError(error: VcapError): error is VcapError & { code: RowErrorCode } {
  return errors[error.code] === exitCodes.rowsFailed
}

export function isRowErrorCode(code: string): code is RowErrorCode {
  return Object.hasOwn(errors, code) && errors[code as ErrorCode] === exitCodes.rowsFailed
}

/** The one kind of error this package throws: branch on `code`, show `message`. */
export class VcapError extends Error {
  override readonly name = 'VcapError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  get exitCode(): number {
    return errors[this.code]
  }
}

/** An error of the addon, of Node or of a library as a `VcapError`; known codes are kept. */
export function asVcapError(error: unknown, otherwise: ErrorCode = 'internal'): VcapError {
  if (error instanceof VcapError) return error
  const { code, name, message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { code: undefined, name: '', message: String(error) }
  if (name === 'AbortError') return new VcapError('aborted', 'Aborted', { cause: error })
  const known = typeof code === 'string' && Object.hasOwn(errors, code)
  return new VcapError(known ? (code as ErrorCode) : otherwise, message, { cause: error })
}

export function abortedError(signal: AbortSignal): VcapError {
  return new VcapError('aborted', 'Aborted', { cause: signal.reason })
}
