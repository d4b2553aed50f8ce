import { InvalidArgumentError, Option, type Command } from 'commander'
import { VcapError } from '../errors'
import { chatTemplates, optionField, type CommandName, type OptionField } from '../options'

/**
 * How each option is written as a flag, and what it does. Which of them a command has, their checks and their defaults
 * come from the commands' schemas in src/options.ts.
 */
const flags: [option: string, flags: string, description: string][] = [
  ['model', '--model <name|file>', 'a name from the model list, or a GGUF file'],
  ['mmproj', '--mmproj <file>', 'projector GGUF; needed with a model file'],
  ['gpus', '--gpus <list>', '0-7, 0,2,4-5, all or none (default: all that are there)'],
  ['rpc', '--rpc <list>', 'ggml RPC servers as further devices, host:port,host:port'],
  ['tpSize', '--tp-size <n>', 'devices that hold one model together (default: as few as it fits)'],
  ['dpSize', '--dp-size <n>', 'replicas of the model (default: as many as there are devices for)'],
  ['splitMode', '--split-mode <mode>', 'how the devices of a model share it: layer or tensor'],
  ['tensorSplit', '--tensor-split <list>', 'how much each of them gets, such as 3,1 (default: by their memory)'],
  ['sequences', '--bs <n>', 'captions at once (default: as many as fit, up to 16)'],
  ['numFrames', '--num-frames <n>', 'frames taken from a video'],
  ['anyres', '--anyres <mode>', 'tiles a frame: auto, full or off'],
  ['resize', '--resize <pixels>', 'scale the short side of larger frames down to this first'],
  ['prompt', '--prompt <name|text>', "a preset's name or the text itself; {} takes the row's text"],
  ['maxTokens', '--max-tokens <n>', 'longest caption, in tokens'],
  ['temperature', '--temperature <t>', '0 takes the likeliest token'],
  ['topP', '--top-p <p>', 'sample from this share of the probability'],
  ['repetitionStop', '--no-repetition-stop', 'let an answer that says one passage over and over go on'],
  ['seed', '--seed <n>', 'of the sampling'],
  ['chatTemplate', '--chat-template <name>', `instead of the metadata's: ${chatTemplates.join(', ')}`],
  ['contextPerSequence', '--ctx <n>', 'positions a caption; 0: what the model was trained on'],
  ['kvType', '--kv-type <type>', 'keys and values kept as f32, f16 or q8_0'],
  ['mmap', '--no-mmap', 'read the model into memory instead of mapping its files, which then may be changed'],
  ['threads', '--threads <n>', "the engine's CPU threads; 0: one a physical core, or what a CPU quota leaves"],
  [
    'decoders',
    '--decoders <n>',
    'videos decoded at once, by all replicas; 0: by the number of cores, or the CPU quota'
  ],
  ['decodeTimeout', '--decode-timeout <s>', 'seconds after which decoding one video is given up'],
  ['decodeMemory', '--decode-memory <GiB>', 'memory that decoding one video may take; 0: no limit'],
  ['allowPartial', '--allow-partial', 'caption truncated files too; a column partial marks them'],
  ['ffmpeg', '--ffmpeg <file>', 'the ffmpeg command to use, instead of what is found'],
  ['root', '--root <dir>', "where relative paths start (default: the CSV's folder)"],
  ['compat', '--compat <tool>', 'output columns of another tool: open-sora'],
  ['restart', '--restart', 'begin anew; the earlier journal is kept until this run ends'],
  ['retryFailed', '--retry-failed [list]', 'try failed rows again: all, or statuses such as unreadable,missing'],
  ['retryFlagged', '--retry-flagged [list]', 'ask once more for flagged captions: all, or flags such as refusal,cut'],
  ['trimSentence', '--trim-sentence', 'cut an unfinished last sentence'],
  ['clean', '--clean', 'drop usual openings: "The video shows a man" is "A man"'],
  ['maxFailures', '--max-failures <n|p%>', 'stop when more rows fail than this; 0: at the first'],
  ['grace', '--grace <s>', 'seconds that captions under way may take when the run is stopped'],
  ['assume', '--assume <list>', 'devices instead of those that are there: 8x80GB, 4x24GiB, 8xH100'],
  ['sizes', '--sizes <list>', 'sizes of frames: 1280x720,640x480'],
  ['clips', '--clips <n>', 'captions to make; files take turns where they are fewer (default: each once, up to 100)'],
  ['out', '--out <dir>', 'where videos and captions go']
]

/** Adds the flags of a command's options; `descriptions` where one means something else there. */
export function addFlags(command: Command, name: CommandName, descriptions: Record<string, string> = {}): void {
  for (const [option, written, description] of flags) {
    const field = optionField(name, option)
    if (!field) continue
    const flag = new Option(written, descriptions[option] ?? description)
    if (field.kind === 'flag') {
      command.addOption(flag)
      continue
    }
    flag.argParser((text) => {
      try {
        return field.check(readAs(field.kind, text))
      } catch (error) {
        if (error instanceof VcapError) throw new InvalidArgumentError(error.message)
        throw error
      }
    })
    if (written.endsWith(']')) flag.preset('all')
    const shown = field.initial !== undefined && field.initial !== '' && field.kind !== 'list'
    command.addOption(shown ? flag.default(field.initial) : flag)
  }
}

function readAs(kind: OptionField['kind'], text: string): unknown {
  if (kind === 'list') return text.split(',')
  if (kind === 'numbers') return text.split(',').map(toNumber)
  return kind === 'number' ? toNumber(text) : text
}

/** Text that is no decimal number stays text, for the check's message. */
function toNumber(text: string): number | string {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text
}

/** The options of the library for the flags that commander parsed. */
export function toOptions(parsed: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    flags.flatMap(([option, written]) => {
      const value = parsed[new Option(written).attributeName()]
      return value === undefined ? [] : [[option, value]]
    })
  )
}
