import type { NativeJob } from './addon'

/** The job's result; an abort cancels it, and it then rejects with `aborted`. */
export async function finish<T>(job: NativeJob<T>, signal: AbortSignal | undefined): Promise<T> {
  const cancel = () => job.cancel()
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await job.promise
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}
