import { Command } from 'commander'
import { exitCodes } from '../errors'
import type { DiffOptions } from '../options'
import { diffTables, type TableDiff } from '../tables/diff'
import { addFlags, toOptions } from './flags'
import { addHelp } from './help'
import { oneLine, thousands } from './run-lines'
import { withProgress } from './table-progress'

/** Characters of a cell that are shown. */
const shownOfCell = 60

export function diffCommand(): Command {
  const command = new Command('diff')
    .description('compare two tables row by row, by a key')
    .argument('<a>', 'a table; - is standard input')
    .argument('<b>', 'the other')
    .option('--json', 'print JSON')
  addFlags(command, 'diff')
  addHelp(command, {
    examples: ['diff monday.csv tuesday.csv', 'diff monday.csv tuesday.csv --key path,text --json'],
    exitCodes: ['0 the same; 1 different; 2 or 75 not compared.']
  })
  return command.action(async (a: string, b: string, parsed: { json?: boolean }) => {
    const options = toOptions(parsed, 'diff') as DiffOptions
    const diff = await withProgress((work) => diffTables(a, b, { ...options, ...work }))
    process.stdout.write(parsed.json ? `${JSON.stringify(diff)}\n` : describe(diff))
    process.exitCode = diff.same ? exitCodes.ok : exitCodes.different
  })
}

function describe(diff: TableDiff): string {
  const { a, b, rows, examples, changedCells, repeated } = diff
  const key = diff.on.join(', ')
  const lines = [
    ...diff.warnings.map((warning) => `warning: ${warning}`),
    `${a}: ${thousands(rows.a)} rows; ${b}: ${thousands(rows.b)} rows; by ${key}`,
    `${thousands(diff.alike)} rows are alike${diff.reordered ? ', in another order' : ''}`,
    ...columnLines(`only in ${a}`, diff.columnsOnlyInA),
    ...columnLines(`only in ${b}`, diff.columnsOnlyInB),
    ...(repeated.a + repeated.b > 0
      ? [`rows whose key is there before: ${repeated.a} in ${a}, ${repeated.b} in ${b}`]
      : []),
    ...keyLines(`rows only in ${a}`, diff.onlyInA, examples.onlyInA),
    ...keyLines(`rows only in ${b}`, diff.onlyInB, examples.onlyInB)
  ]
  if (diff.changed > 0) {
    const counts = Object.entries(changedCells).map(([name, count]) => `${name} ${thousands(count)}`)
    lines.push(`${thousands(diff.changed)} rows differ; cells by column: ${counts.join(', ')}`)
    for (const { key, cells } of examples.changed) {
      lines.push(`  ${key.join(', ')}`)
      for (const cell of cells) lines.push(`    ${cell.column}: ${shown(cell.a)} | ${shown(cell.b)}`)
    }
    if (examples.changed.length < diff.changed) lines.push('  …')
  }
  if (diff.same) lines.push('the same')
  return `${lines.map(oneLine).join('\n')}\n`
}

function columnLines(what: string, columns: string[]): string[] {
  return columns.length === 0 ? [] : [`columns ${what}: ${columns.join(', ')}`]
}

function keyLines(what: string, count: number, examples: string[][]): string[] {
  if (count === 0) return []
  const keys = examples.map((key) => `  ${key.join(', ')}`)
  return [`${thousands(count)} ${what}`, ...keys, ...(keys.length < count ? ['  …'] : [])]
}

function shown(cell: string | null): string {
  if (cell === null) return 'nothing'
  return JSON.stringify(cell.length > shownOfCell ? `${cell.slice(0, shownOfCell - 1)}…` : cell)
}
