/**
 * Maps `source` with up to `window` calls of `work` under way or finished ahead of their
 * turn, and yields the results in the source's order. Nothing is pulled from the source
 * beyond the window, so a slow reader slows the source down. When the reader stops or
 * `work` fails, calls under way are waited for: who wants them to stop aborts their signal.
 */
export async function* mapInOrder<T, R>(
  source: Iterable<T> | AsyncIterable<T>,
  window: number,
  work: (item: T, index: number) => Promise<R>
): AsyncGenerator<R, void, undefined> {
  const underWay: Promise<R>[] = []
  let index = 0
  try {
    for await (const item of source) {
      const result = work(item, index++)
      // Its turn may come later than its failure: that is not an unhandled rejection.
      result.catch(() => undefined)
      underWay.push(result)
      if (underWay.length >= window) yield await underWay.shift()!
    }
    while (underWay.length > 0) yield await underWay.shift()!
  } finally {
    await Promise.allSettled(underWay)
  }
}
