import fs from 'node:fs'
import path from 'node:path'
import { run } from '../../dist/index.js'
import { nullCaptioner } from './null-captioner.mjs'
import { findDifference, Random, randomTable } from './random-tables.mjs'

/**
 * Runs random tables of a seed through `run` and holds its output against the oracle. Returns how many of each kind
 * there were; throws for the first that is wrong, and leaves it in `folder`.
 */
export async function fuzzTables({ seed, tables, folder, onTable }) {
  const counts = {}
  for (let number = 0; number < tables; number++) {
    const random = new Random(Math.imul(seed, 0x9e3779b1) + number)
    const table = randomTable(random)
    const input = path.join(folder, 'in.csv')
    fs.writeFileSync(input, table.bytes)
    const wrong = await findFault(table, random, input, path.join(folder, 'out.csv'))
    if (wrong) throw new Error(`Table ${number} of seed ${seed}, kept as ${input}: ${wrong}`)
    const kind = table.refused ? `refused: ${table.refused}` : table.damaged ? 'read, though damaged' : 'read'
    counts[kind] = (counts[kind] ?? 0) + 1
    counts[table.encoding] = (counts[table.encoding] ?? 0) + 1
    counts.rows = (counts.rows ?? 0) + (table.rows?.length ?? 0)
    onTable?.(number + 1)
  }
  return counts
}

/** Why a table was handled wrongly; undefined where it was not. */
async function findFault(table, random, input, output) {
  const captions = []
  const captioner = nullCaptioner()
  const captionRow = async () => {
    const text = random.pick(['A red circle.', 'one, two', '"so"', 'a\nb', 'c\r', ';\t|', '', 'é影'])
    captions.push(text)
    return { ...(await captioner.captionRow()), text }
  }
  try {
    await run(input, output, { captioner: { ...captioner, captionRow }, restart: true })
  } catch ({ code, message }) {
    if (!table.refused) return `refused: ${message}`
    if (code !== 'csv_invalid') return `${code}: ${message}`
    if (captions.length > 0) return 'refused after the first caption'
    const ofHeader = table.refused === 'header' && /no column named path|two columns named path|is empty/.test(message)
    return ofHeader || /, line \d+: /.test(message) ? undefined : `no line: ${message}`
  }
  if (table.refused) return `read, though ${table.refused} is at fault`
  return findDifference(fs.readFileSync(output, 'utf8'), table, captions)
}
