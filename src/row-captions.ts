import type { RowAnswer, RowCaption, RowStatus, RowUsage } from './caption'

/*
 * The captions of a row: one, which is the row's record itself, or several by name.
 */

/** Each caption of a row with its name; without one where there is one alone. */
export function captionsOf(row: RowCaption): [name: string | undefined, caption: RowAnswer][] {
  return row.captions ? Object.entries(row.captions) : [[undefined, row]]
}

/** The row with each of its captions changed; the same object where none was. */
export function mapCaptions(
  row: RowCaption,
  change: <T extends RowAnswer>(caption: T, name: string | undefined) => T
): RowCaption {
  if (!row.captions) return change(row, undefined)
  const changed = Object.entries(row.captions).map(([name, caption]) => [name, change(caption, name)] as const)
  if (changed.every(([name, caption]) => caption === row.captions![name])) return row
  return withCaptions(row, Object.fromEntries(changed))
}

/** The row with these captions, and with what they come to together. */
export function withCaptions(row: Omit<RowCaption, keyof RowAnswer>, captions: Record<string, RowAnswer>): RowCaption {
  const all = Object.values(captions)
  const flags = [...new Set(all.flatMap((caption) => caption.flags ?? []))]
  const errors = Object.entries(captions).flatMap(([name, { error }]) => (error === null ? [] : [`${name}: ${error}`]))
  const retries = all.map(({ retry }) => retry)
  const retry = (['replaced', 'kept'] as const).find((how) => retries.includes(how))
  const { numFrames, partial, replica } = row
  return {
    status: worst(all.map(({ status }) => status)),
    text: '',
    numFrames,
    error: errors.length === 0 ? null : errors.join('; '),
    usage: sumOf(all.flatMap(({ usage }) => usage ?? [])),
    ...(partial && { partial }),
    ...(replica !== undefined && { replica }),
    ...(flags.length > 0 && { flags }),
    ...(retry && { retry }),
    captions
  }
}

/** How bad a status is, errors aside, which are the worst. */
const ranks: Partial<Record<RowStatus, number>> = { ok: 0, truncated: 1, empty: 2 }

function worst(statuses: RowStatus[]): RowStatus {
  const rank = (status: RowStatus) => ranks[status] ?? 3
  return statuses.reduce((found, status) => (rank(status) > rank(found) ? status : found), 'ok')
}

/** Pictures are encoded once for all questions, and are counted once. */
function sumOf(usages: RowUsage[]): RowUsage | null {
  if (usages.length === 0) return null
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const tiles = usages.flatMap((usage) => usage.tiles ?? [])
  const costs = usages.flatMap((usage) => usage.cost ?? [])
  return {
    imageTokens: Math.max(...usages.map(({ imageTokens }) => imageTokens)),
    promptTokens: sum(usages.map(({ promptTokens }) => promptTokens)),
    tokens: sum(usages.map(({ tokens }) => tokens)),
    ...(tiles.length > 0 && { tiles: Math.max(...tiles) }),
    ...(costs.length > 0 && { cost: sum(costs) })
  }
}
