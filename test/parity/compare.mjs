/**
 * How far features are from the reference's, over rows of `width` numbers: the least cosine
 * of any row, and the largest relative error |a − b| / max(|b|, rms(b)) of any number, where
 * rms(b) is that row's root mean square. A number near zero in a row of large ones is
 * measured against the row: below that, relative error would only count rounding.
 */
export function compareRows(actual, expected, width) {
  if (actual.length !== expected.length) return { cosine: Number.NaN, relative: Number.NaN }
  let cosine = Infinity
  let relative = 0
  for (let start = 0; start < expected.length; start += width) {
    let ab = 0
    let aa = 0
    let bb = 0
    for (let i = start; i < start + width; i++) {
      ab += actual[i] * expected[i]
      aa += actual[i] ** 2
      bb += expected[i] ** 2
    }
    cosine = least(cosine, ab / Math.sqrt(aa * bb))
    const rms = Math.sqrt(bb / width)
    for (let i = start; i < start + width; i++) {
      relative = most(relative, Math.abs(actual[i] - expected[i]) / Math.max(Math.abs(expected[i]), rms))
    }
  }
  return { cosine, relative }
}

/** The mean over rows of `width` numbers of the cosine between them. */
export function meanCosine(actual, expected, width) {
  let sum = 0
  for (let start = 0; start < expected.length; start += width) {
    sum += compareRows(actual.subarray(start, start + width), expected.subarray(start, start + width), width).cosine
  }
  return (sum * width) / expected.length
}

/** The largest absolute difference. */
export function largestDifference(actual, expected) {
  if (actual?.length !== expected.length) return Number.NaN
  return expected.reduce((worst, value, i) => most(worst, Math.abs(value - actual[i])), 0)
}

export function meanDifference(actual, expected) {
  if (actual.length !== expected.length) return Number.NaN
  return expected.reduce((sum, value, i) => sum + Math.abs(value - actual[i]), 0) / expected.length
}

/**
 * Greedy tokens against the reference's: the steps until the first difference, and the
 * reference's own margin there (Infinity where there is none). After a difference the two
 * answer different prompts, so nothing more can be said.
 */
export function compareTokens(actual, { tokens, margins }) {
  const step = margins.findIndex((_, i) => actual[i] !== tokens[i])
  if (step >= 0) return { agreed: step, margin: margins[step] }
  return { agreed: tokens.length, margin: actual.length === tokens.length ? Number.POSITIVE_INFINITY : 0 }
}

// NaN wins: a comparison that could not be made must fail.
const least = (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.min(a, b))
const most = (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b))
