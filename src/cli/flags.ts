import { InvalidArgumentError, Option, type Command } from 'commander'
import { VcapError } from '../errors'
import { optionField, type OptionName } from '../options'

/** Flags of the commands: their option, how they are written, what they do. Checks and defaults come from src/options.ts. */
const flags: [name: OptionName, flags: string, description: string][] = [
  ['model', '--model <name|file>', 'a name from the model list, or a GGUF file'],
  ['mmproj', '--mmproj <file>', 'projector GGUF; needed with a model file'],
  ['gpus', '--gpus <list>', '0-7, 0,2,4-5, all or none (default: all that are there)'],
  ['rpc', '--rpc <list>', 'ggml RPC servers as further devices, host:port,host:port'],
  ['splitMode', '--split-mode <mode>', 'how devices share the model: layer or tensor'],
  ['sequences', '--bs <n>', 'captions in flight (default: as many as fit, up to 16)'],
  ['numFrames', '--num-frames <n>', 'frames taken from a video'],
  ['anyres', '--anyres <mode>', 'tiles a frame: auto, full or off'],
  ['resize', '--resize <pixels>', 'scale the short side of larger frames down to this first'],
  ['prompt', '--prompt <name|text>', "a preset's name or the text itself; {} takes the row's text"],
  ['maxTokens', '--max-tokens <n>', 'longest caption, in tokens'],
  ['temperature', '--temperature <t>', '0 takes the likeliest token'],
  ['topP', '--top-p <p>', 'sample from this share of the probability'],
  ['seed', '--seed <n>', 'of the sampling'],
  ['chatTemplate', '--chat-template <name>', "instead of the one for the model's metadata"],
  ['contextPerSequence', '--ctx <n>', 'positions a caption; 0: what the model was trained on'],
  ['kvType', '--kv-type <type>', 'keys and values kept as f32, f16 or q8_0'],
  ['threads', '--threads <n>', "the engine's CPU threads; 0: one a physical core"],
  ['decoders', '--decoders <n>', 'videos decoded at once; 0: by the number of cores'],
  ['decodeTimeout', '--decode-timeout <s>', 'seconds after which decoding one video is given up'],
  ['ffmpeg', '--ffmpeg <file>', 'the ffmpeg command to use, instead of what is found'],
  ['root', '--root <dir>', "where relative paths start (default: the CSV's folder)"],
  ['compat', '--compat <tool>', 'output columns of another tool: open-sora']
]

const lists = new Set<OptionName>(['rpc'])
/** Numbers without a default; the others are told by theirs. */
const numbers = new Set<OptionName>(['sequences', 'resize'])

const allFlags = flags.map(([name, written, description]) => {
  const { initial, check } = optionField(name)
  const option = new Option(written, description).argParser((text) => {
    try {
      return check(
        lists.has(name) ? text.split(',') : typeof initial === 'number' || numbers.has(name) ? toNumber(text) : text
      )
    } catch (error) {
      if (error instanceof VcapError) throw new InvalidArgumentError(error.message)
      throw error
    }
  })
  const shown = initial !== undefined && initial !== '' && !lists.has(name)
  return { name, option: shown ? option.default(initial) : option }
})

/** Adds the flags of these options to a command; all of them when left out. */
export function addFlags(command: Command, names?: OptionName[]): void {
  for (const { name, option } of allFlags) if (!names || names.includes(name)) command.addOption(option)
}

/** Text that is no number stays text, for the check's message. */
function toNumber(text: string): number | string {
  const number = Number(text)
  return text.trim() === '' || Number.isNaN(number) ? text : number
}

/** The options of the library for the flags that commander parsed. */
export function toOptions(parsed: Record<string, unknown>): Partial<Record<OptionName, unknown>> {
  return Object.fromEntries(
    allFlags.flatMap(({ name, option }) => {
      const value = parsed[option.attributeName()]
      return value === undefined ? [] : [[name, value]]
    })
  )
}
