/** The value of a JSON text. Throws an `Error` that says in one line what is wrong, and in which line of the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // It quotes the text around the place, line ends and all; newer Nodes name the line themselves.
    const message = (cause as Error).message.replace(/\s+/g, ' ')
    const [, place] = /at position (\d+)$/.exec(message) ?? []
    const line = place === undefined ? '' : ` (line ${text.slice(0, Number(place)).split('\n').length})`
    throw new Error(`${message}${line}`, { cause })
  }
}
