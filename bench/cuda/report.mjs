/** The check's report for people. */

export function markdown({ machine, date, device, short, seconds, sections }) {
  return [
    `# check:cuda, ${date.slice(0, 10)}`,
    '',
    `${machine.cpu}, ${machine.cores} cores, ${machine.memory}; devices: ${device}${short ? '; small models' : ''}; ` +
      `${Math.round(seconds)} s, load ${machine.load.toFixed(1)} at the start.`,
    '',
    ...sections.flatMap(section)
  ].join('\n')
}

function section({ name, skipped, failed, right, summary, table, seconds }) {
  const mark = skipped ? 'skipped' : failed ? 'FAILED' : right === undefined ? 'measured' : right ? 'right' : 'WRONG'
  const time = seconds === undefined ? '' : ` (${seconds.toFixed(0)} s)`
  return [`## ${name}: ${mark}${time}`, '', skipped ?? failed ?? summary, '', ...(table ? [...rows(table), ''] : [])]
}

function rows({ head, rows: lines }) {
  const row = (cells) => `| ${cells.map((cell) => String(cell ?? '').replace(/\|/g, '\\|')).join(' | ')} |`
  return [row(head), row(head.map(() => '---')), ...lines.map(row)]
}
