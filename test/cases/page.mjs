/** docs/failure-cases.md, made of the cases: `npm run cases:page` writes it, and a test compares. */
import { fileCases } from './files.mjs'
import { formCases } from './forms.mjs'
import { runCases } from './runs.mjs'
import { tableCases } from './tables.mjs'

export const allCases = [...fileCases, ...tableCases, ...runCases, ...formCases]

const head = [
  '# What goes wrong, and what then happens\n',
  [
    `${allCases.length} cases of media, images, tables, runs, captions, forms, prompts and model files,`,
    'each of which a test makes and tries: the files by ffmpeg or byte by byte, as rows of one table, through the',
    'command with the demo model,',
    'by both readers. This page is made of those tests (`test/cases/`) by `npm run cases:page`; `npm test` holds that',
    'it says what they say.\n'
  ].join(' '),
  [
    'A file that cannot be read costs its own row: the status and the reason stand in the output, the run goes on and',
    'ends with 3. A table that cannot be read without doubt is refused before the first caption, with 2. In the',
    'reasons … stands for what differs. What statuses, exit codes and error codes mean: `README.md`,',
    '`docs/running.md`, `docs/api.md`.\n'
  ].join(' ')
].join('\n')

/** A table's cell: in one line, and without a bar. */
const cell = (text) => text.replace(/\|/g, '\\|').replace(/\n/g, '\\n').replace(/\s+/g, ' ').trim()

const framesOf = (frames) =>
  frames === 'some'
    ? 'captioned, what is left of its frames'
    : `captioned, ${frames} ${frames === 1 ? 'frame' : 'frames'}`

function outcomeOf({ frames, status, code, says, warns, happens }) {
  if (happens !== undefined) return happens
  if (frames !== undefined) return framesOf(frames)
  if (code) return `2, \`${code}\`: ${says}`
  if (status) return says === '…' ? `\`${status}\`` : `\`${status}\`: ${says}`
  return ['read', ...warns.map((warning) => `a warning: ${warning}`)].join('; ')
}

export function renderPage() {
  const groups = [...new Set(allCases.map(({ group }) => group))]
  const sections = groups.map((group) => {
    const rows = allCases
      .filter((one) => one.group === group)
      .map((one) => `| ${cell(one.name)} | ${cell(outcomeOf(one))} |`)
    return `## ${group}\n\n| case | what happens |\n|---|---|\n${rows.join('\n')}\n`
  })
  return `${head}\n${sections.join('\n')}`
}
