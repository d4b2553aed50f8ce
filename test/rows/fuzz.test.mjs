/** Random tables, whole and damaged: `npm run fuzz:tables` runs many more. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { openRows } from '../../dist/rows/open.js'
import { Scanner } from '../../dist/rows/scan.js'
import { decodeText } from '../../dist/rows/text.js'
import { fuzzTables } from '../helpers/fuzz-tables.mjs'
import { temporaryFolder } from '../helpers/media.mjs'
import { findDifference, ownColumns, Random, randomTable } from '../helpers/random-tables.mjs'

test('rows in are rows out, or the table is refused with a line', async () => {
  const counts = await fuzzTables({ seed: 20, tables: 150, folder: temporaryFolder() })
  for (const kind of ['read', 'read, though damaged', 'refused: quote', 'refused: encoding', 'UTF-16LE', 'UTF-16BE']) {
    assert.ok(counts[kind] > 3, `${kind}: ${counts[kind]}`)
  }
})

test('the oracle finds a row that is lost, a cell that is changed, and a name', () => {
  const table = { columns: ['path', 'a'], rows: [['x', '1'], ['y', '2', '3,4'], ['z']] }
  const captions = ['A', 'B', 'C']
  const rest = ','.repeat(ownColumns.length - 1)
  const good = `path,a,extra_cells,${ownColumns}\nx,1,,A${rest}\ny,2,"""3,4""",B${rest}\nz,,,C${rest}\n`
  assert.equal(findDifference(good, table, captions), undefined)
  for (const [from, to] of [
    [`x,1,,A${rest}\n`, ''],
    ['y,2', 'y,3'],
    ['3,4', '3,5'],
    ['z,,', 'z,-,'],
    ['path,a', 'path,b'],
    [',B,', ',C,'],
    ['extra_cells,', '']
  ]) {
    assert.ok(good.includes(from) && findDifference(good.replace(from, to), table, captions), from)
  }
})

test('a seed gives the same tables again', () => {
  assert.deepEqual(randomTable(new Random(7)), randomTable(new Random(7)))
  assert.notDeepEqual(randomTable(new Random(7)), randomTable(new Random(8)))
})

test('how the bytes are cut makes no difference', async () => {
  async function* inBlocks(bytes, random) {
    yield bytes.subarray(0, 3) // a byte-order mark is whole
    for (let at = 3; at < bytes.length; ) {
      const end = at + 1 + random.below(3)
      yield bytes.subarray(at, end)
      at = end
    }
  }
  const look = async (blocks) => {
    const scanner = new Scanner({
      label: 'it',
      separator: ',',
      width: 2,
      column: 0,
      firstLine: 1,
      isFile: () => false
    })
    const parts = []
    try {
      for await (const part of decodeText(blocks)) {
        parts.push(part)
        scanner.add(part)
      }
      const { swallowed, headers, ...facts } = scanner.finish()
      return { text: Buffer.concat(parts).toString(), facts }
    } catch ({ message }) {
      return { message: message.replace(/on line/, ''), line: scanner.line }
    }
  }
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed)
    const { bytes } = randomTable(random)
    if (bytes.length > 10_000) continue
    const whole = await look([bytes])
    assert.deepEqual(await look(inBlocks(bytes, random)), whole, `seed ${seed}`)
  }
})

test('a block that ends anywhere amid a row', async () => {
  const folder = temporaryFolder()
  const row = 'x.mp4,"1\r\n""é""\r"\r\n'
  for (let shift = 0; shift < row.length + 2; shift++) {
    const file = path.join(folder, `${shift}.csv`)
    fs.writeFileSync(file, `path,a\n${'p'.repeat(65_536 - 9 - shift)},\n${row.repeat(3)}`)
    const source = await openRows(file, {})
    const cells = []
    for await (const each of source.rows()) cells.push(each.cells)
    source.close()
    assert.deepEqual(cells.slice(1), Array(3).fill(['x.mp4', '1\r\n"é"\r']), `shift ${shift}`)
  }
})
