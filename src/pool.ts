/**
 * Calls `work` for each item of `source`, up to `limit` at once; they end in any order. Nothing is pulled from the
 * source while `limit` are under way. After a failure nothing more is begun: what is under way is waited for, then the
 * first failure is thrown.
 */
export async function forEachAtOnce<T>(
  source: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>
): Promise<void> {
  let underWay = 0
  let wake: () => void = () => undefined
  let fault: { error: unknown } | undefined
  const settled = () => {
    underWay--
    wake()
  }
  const failed = (error: unknown) => {
    fault ??= { error }
    settled()
  }
  const oneSettled = () => new Promise<void>((resolve) => (wake = resolve))
  try {
    for await (const item of source) {
      underWay++
      work(item).then(settled, failed)
      while (underWay >= limit) await oneSettled()
      if (fault) break
    }
  } finally {
    while (underWay > 0) await oneSettled()
  }
  if (fault) throw (fault as { error: unknown }).error
}
