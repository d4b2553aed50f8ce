/** The values in a text that is a JSON object or array, as texts; undefined for any other text. */
export function jsonValues(text: string): string[] | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined
  try {
    return valuesOf(JSON.parse(text))
  } catch {
    return undefined
  }
}

function valuesOf(value: unknown): string[] {
  if (value === null) return []
  return typeof value === 'object' ? Object.values(value).flatMap(valuesOf) : [String(value)]
}
