/** Rounds that take turns, so that what disturbs the machine for a while disturbs everyone alike, and their median. */

export const percent = (share) => `${(share * 100).toFixed(1)} %`

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Calls `measure(item)` for each item in turn, `rounds` times. Every second round runs backwards, so that no item
 * always follows the same other one.
 */
export async function interleave(items, rounds, measure) {
  const results = items.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const order = items.map((_, place) => place)
    if (round % 2) order.reverse()
    for (const place of order) results[place].push(await measure(items[place], round))
  }
  return results
}
