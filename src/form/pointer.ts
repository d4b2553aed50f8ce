/** The part of a value that a reference such as `#/$defs/name` names; undefined where there is none. */
export function partOf(root: unknown, reference: string): unknown {
  let found = root
  for (const part of reference.split('/').slice(1)) {
    const key = decodePointer(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

/** Of a reference, which is written as in a URL and may be malformed. */
export function decodePointer(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A name as a part of a reference. */
export const encodePointer = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')
