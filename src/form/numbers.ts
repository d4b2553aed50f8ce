/** Digits of the longest whole number: those that a double keeps. */
const mostDigits = 15
const largest = 10 ** mostDigits - 1

/** Whole numbers from `least` to `most`, where there is one or more, as an expression in GBNF. */
export function wholeNumbers(least = -largest, most = largest): string {
  const from = Math.max(least, -largest)
  const to = Math.min(most, largest)
  return any([...(from < 0 ? [`"-" ${any(natural(Math.max(-to, 1), -from))}`] : []), ...natural(Math.max(from, 0), to)])
}

/** Numbers from `least` to `most`, which are whole, with up to six digits behind the point. */
export function numbers(least = -largest, most = largest): string {
  const from = Math.max(least, -largest)
  const to = Math.min(most, largest)
  const fraction = '("." [0-9]{1,6})?'
  const between = (low: number, high: number) => [
    ...(low < high ? [`${any(natural(low, high - 1))} ${fraction}`] : []),
    ...natural(high, high)
  ]
  return any([
    ...(from < 0 ? [`"-" ${any(between(Math.max(-to, 0), -from))}`] : []),
    ...(to >= 0 ? between(Math.max(from, 0), to) : [])
  ])
}

/** Whole numbers from 0 on, without leading zeros: those of each length. */
function natural(from: number, to: number): string[] {
  const found: string[] = []
  for (let low = from; low <= to; ) {
    const high = Math.min(to, 10 ** String(low).length - 1)
    found.push(sameLength(String(low), String(high)))
    low = high + 1
  }
  return found
}

/** Texts of digits from one to another of the same length. */
function sameLength(low: string, high: string): string {
  const [first, last] = [Number(low[0]), Number(high[0])]
  const rest = low.length - 1
  const free = rest === 0 ? '' : ` [0-9]{${rest}}`
  if (/^.0*$/.test(low) && /^.9*$/.test(high)) return digits(first, last) + free
  const [lowRest, highRest] = [low.slice(1), high.slice(1)]
  if (first === last) return `"${first}" ${sameLength(lowRest, highRest)}`
  return any([
    `"${first}" ${sameLength(lowRest, '9'.repeat(rest))}`,
    ...(last - first > 1 ? [digits(first + 1, last - 1) + free] : []),
    `"${last}" ${sameLength('0'.repeat(rest), highRest)}`
  ])
}

const digits = (first: number, last: number) => (first === last ? `"${first}"` : `[${first}-${last}]`)

const any = (alternatives: string[]) => (alternatives.length === 1 ? alternatives[0]! : `(${alternatives.join(' | ')})`)
