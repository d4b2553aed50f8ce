import type { Dialect } from './dialect'
import type { Places, TableFacts } from './scan'

/**
 * What the owner of a table should know of it, a sentence for each kind. `label`: the table, for people. `extra`: the
 * column of the cells beyond the header. `isTsv`: it is named as a table with tabs.
 */
export function tableWarnings(
  label: string,
  dialect: Dialect,
  facts: TableFacts,
  { extra, isTsv }: { extra: string | undefined; isTsv: boolean }
): string[] {
  const header = `the header's ${dialect.columns?.length}`
  const { short, long, swallowed, headers } = facts
  return [
    dialect.separator !== (isTsv ? '\t' : ',') &&
      `cells stand between ${JSON.stringify(dialect.separator)}; in the output between ","`,
    facts.rows === 0 && 'has a header and no rows',
    headers.count > 0 &&
      `${describe(headers)} the header's own cells, as where tables were joined; each counts as a row`,
    short.count > 0 && `${describe(short)} fewer cells than ${header}; the missing ones are empty`,
    long.count > 0 &&
      `${describe(long)} more cells than ${header}, as by a separator without quotes; ` +
        `those beyond it make the column ${extra}`,
    swallowed.count > 0 &&
      `${describe(swallowed)} a quoted cell with lines that look like rows; ` +
        'if rows are missing, a quote there is not closed'
  ].flatMap((told) => (told === false ? [] : [`${label}: ${told}`]))
}

function describe({ count, lines }: Places): string {
  const more = count > lines.length ? ', …' : ''
  const [rows, have, line] = count === 1 ? ['row', 'has', 'line'] : ['rows', 'have', 'lines']
  return `${count} ${rows} (${line} ${lines.join(', ')}${more}) ${have}`
}
