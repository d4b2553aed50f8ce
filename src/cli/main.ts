#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { asVcapError, exitCodes, VcapError } from '../errors'
import { nodeTooOld, packageVersion } from '../package'
import { outliveStandardStreams } from '../standard-streams'
import { benchCommand } from './bench'
import { demoCommand } from './demo'
import { diffCommand } from './diff'
import { doctorCommand } from './doctor'
import { exportCommand } from './export'
import { gpt4Command } from './gpt4'
import { exitCodeOf, Interrupted } from './interrupt'
import { modelsCommand } from './models'
import { joinCommand } from './join'
import { mergeCommand } from './merge'
import { planCommand } from './plan'
import { promptsCommand } from './prompts'
import { pullCommand } from './pull'
import { runCommand } from './run'
import { samplesCommand } from './samples'
import { hideKeyArgument } from './secret-arguments'
import { splitCommand } from './split'
import { statusCommand } from './status'

const hideKey = hideKeyArgument(process.argv)

outliveStandardStreams(({ message }) => {
  process.exitCode = report(new VcapError('write_failed', `stdout could not be written: ${message}`))
})

const program = new Command('vcap-native')
  .description('Captions videos and images with LLaVA on llama.cpp')
  .version(packageVersion)
/** What commander prints of wrong usage, without a key that stands in it. */
const output = { writeErr: (text: string) => process.stderr.write(hideKey(text)) }
const commands = [
  runCommand(),
  gpt4Command(),
  samplesCommand(),
  statusCommand(),
  promptsCommand(),
  exportCommand(),
  modelsCommand(),
  pullCommand(),
  mergeCommand(),
  diffCommand(),
  joinCommand(),
  splitCommand(),
  demoCommand(),
  planCommand(),
  benchCommand(),
  doctorCommand()
]
for (const command of commands) {
  program.addCommand(command.configureOutput(output).exitOverride())
}
program.configureOutput(output)

start().catch((error: unknown) => {
  const code = report(error)
  process.exitCode ||= code // a help that could not be written is no success
})

async function start(): Promise<void> {
  const hindrance = nodeTooOld() ?? noCurrentFolder()
  if (hindrance) throw new VcapError('usage', hindrance)
  await program.exitOverride().parseAsync()
}

/** Somebody may have removed it; every relative path then fails with words that do not say so. */
function noCurrentFolder(): string | undefined {
  try {
    process.cwd()
    return undefined
  } catch {
    return 'The current folder does not exist any more: change to one that does'
  }
}

/** Tells what went wrong, in a line where one is enough, and returns the exit code. */
function report(error: unknown): number {
  // Commander has printed it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  if (process.env.VCAP_DEBUG) console.error(error)
  const { cause } = error as Error
  const message = cause instanceof Interrupted ? `\n${cause.message}` : `vcap-native: ${asVcapError(error).message}`
  process.stderr.write(`${hideKey(message)}\n`)
  return exitCodeOf(error)
}
