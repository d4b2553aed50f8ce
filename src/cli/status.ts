import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import { captionsOf } from '../row-captions'
import { readStatus, type JournalledRow, type RunStatus } from '../run/status'
import { duration } from './duration'
import { addHelp } from './help'
import { untilInterrupted } from './interrupt'

/** Seconds between two looks of `--watch`. */
const watchSeconds = 2

export function statusCommand(): Command {
  const command = new Command('status')
    .description('how a run stands: running, stopped or finished')
    .argument('<output.csv>', "the run's output, or the folder of its --journal")
    .option('--json', 'print JSON')
    .option('--watch', 'look again every two seconds until nobody writes')
  addHelp(command, { examples: ['status captions.csv', 'status captions.csv --watch'] })
  return command.action(async (output: string, { json, watch }: { json?: boolean; watch?: boolean }) => {
    await untilInterrupted(async (signal) => {
      for (;;) {
        const status = await readStatus(output)
        process.stdout.write(json ? `${JSON.stringify(status)}\n` : describe(status))
        if (!watch || status.state !== 'running') return
        await pause(watchSeconds * 1000, undefined, { signal })
      }
    }, 'the run goes on')
  })
}

function describe(status: RunStatus): string {
  const { state, rows, done, statuses, damaged, rate, secondsLeft, holder, finished, output } = status
  const counts = Object.entries(statuses).map(([name, count]) => `${count} ${name}`)
  const flags = Object.entries(status.flags).map(([name, count]) => `${count} ${name}`)
  const goesOn = state === 'stopped' ? '; the same command goes on' : ''
  const when = state === 'finished' && finished ? ` ${finished}` : ''
  return [
    `${output}: ${state}${when}, ${done} of ${rows} rows${counts.length > 0 ? ` (${counts.join(', ')})` : ''}${goesOn}`,
    ...(flags.length > 0 ? [`flagged: ${flags.join(', ')}`] : []),
    ...(holder ? [`written by process ${holder.pid} on ${holder.host} since ${holder.since}`] : []),
    ...(rate ? [`${rate.toFixed(1)} rows/s, ${duration(secondsLeft ?? 0)} left`] : []),
    ...(damaged > 0 ? [`${damaged} damaged records, whose rows are captioned again`] : []),
    ...section('last captions', status.lastCaptions, (row) => `${row.path}: ${textsOf(row)}`),
    ...section('last failures', status.lastFailures, (row) => `${row.path}: ${row.status}: ${row.error ?? 'no text'}`),
    ''
  ].join('\n')
}

/** A caption, or several with their names. */
function textsOf(row: JournalledRow): string {
  return captionsOf(row)
    .map(([name, { text }]) => (name === undefined ? text : `${name}: ${text}`))
    .join('; ')
}

function section<T>(title: string, rows: T[], line: (row: T) => string): string[] {
  return rows.length === 0 ? [] : [`${title}:`, ...rows.map((row) => `  ${line(row)}`)]
}
