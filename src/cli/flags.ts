import { InvalidArgumentError, Option, type Command } from 'commander'
import { VcapError } from '../errors'
import { chatTemplates, optionField, type CommandName, type OptionField } from '../options'
import { readQuestions } from '../prompts/named'

/** An option as a flag; `usual`: also in the short help of commands with many. */
type Flag = [option: string, flags: string, description: string, usual?: 'usual']

/**
 * How each option is written as a flag, and what it does, in the groups of `--help-all`. Which of them a command has,
 * their checks and their defaults come from the commands' schemas in src/options/.
 */
const groups: [heading: string, flags: Flag[]][] = [
  [
    'Model',
    [
      ['model', '--model <name|file>', 'a name from the model list, or a GGUF file', 'usual'],
      ['mmproj', '--mmproj <file>', 'projector GGUF; needed with a model file', 'usual'],
      ['chatTemplate', '--chat-template <name>', `instead of the metadata's: ${chatTemplates.join(', ')}`],
      ['contextPerSequence', '--ctx <n>', 'positions a caption; 0: as trained, auto: what the rows need'],
      ['kvType', '--kv-type <type>', 'keys and values kept as f32, f16 or q8_0'],
      ['offline', '--offline', 'download nothing: a model that is not here is an error'],
      ['mmap', '--no-mmap', 'read the model into memory instead of mapping its files, which then may be changed']
    ]
  ],
  [
    'Devices',
    [
      ['gpus', '--gpus <list>', '0-7, 0,2,4-5, all or none (default: all there are)', 'usual'],
      ['rpc', '--rpc <list>', 'ggml RPC servers as further devices, host:port,host:port'],
      ['tpSize', '--tp-size <n>', 'devices that hold one model together', 'usual'],
      ['dpSize', '--dp-size <n>', 'replicas of the model (default: as many as devices)', 'usual'],
      ['splitMode', '--split-mode <mode>', 'how the devices of a model share it: layer or tensor'],
      ['tensorSplit', '--tensor-split <list>', 'how much each of them gets, such as 3,1 (default: by their memory)'],
      ['sequences', '--bs <n>', 'captions at once (default: what fits, up to 16)', 'usual'],
      ['threads', '--threads <n>', "the engine's CPU threads; 0: one a physical core, or what a CPU quota leaves"],
      ['assume', '--assume <list>', 'devices instead of those there are: 8x80GB, 8xH100', 'usual']
    ]
  ],
  [
    'Server',
    [
      ['apiModel', '--api-model <name>', 'name of the model there', 'usual'],
      ['baseUrl', '--base-url <url>', "where the API is (default: OpenAI's own)", 'usual'],
      ['keyFile', '--key-file <file>', 'a file with the key (default: OPENAI_API_KEY)', 'usual'],
      ['key', '--key <key>', 'the key itself, which others may see', 'usual'],
      ['detail', '--detail <level>', 'of frames: low, high or auto', 'usual'],
      ['concurrency', '--concurrency <n>', 'requests at once, at most', 'usual'],
      ['batch', '--batch', 'by the Batch API: half the price, within a day', 'usual'],
      ['batchRows', '--batch-rows <n>', 'rows of one batch, at most'],
      ['batchPoll', '--batch-poll <s>', 'seconds between two looks at a batch, at most'],
      ['requestTimeout', '--request-timeout <s>', 'seconds that one request may take'],
      ['maxCost', '--max-cost <dollars>', 'begin nothing that might cost more in all', 'usual'],
      ['price', '--price <in,out>', 'dollars a million tokens in and out, for a model whose price is not known']
    ]
  ],
  [
    'Frames',
    [
      ['numFrames', '--num-frames <n>', 'frames taken from a video (default: 3, or by preset)', 'usual'],
      ['anyres', '--anyres <mode>', 'tiles a frame: auto, full or off', 'usual'],
      ['fps', '--fps <n>', 'so many frames a second instead, --num-frames at most'],
      ['framePool', '--frame-pool <n>', "pool a video's frames n × n; 1: not (default: as the model was trained)"],
      ['framePoolMode', '--frame-pool-mode <mode>', 'average, max or bilinear'],
      ['framePoolPlace', '--frame-pool-place <place>', 'after the projector, or before it as HF does'],
      ['frameNewline', '--frame-newline <place>', 'newline features: grid, frame, one_token or no_token'],
      ['resize', '--resize <pixels>', 'scale the short side of larger frames down to this first'],
      ['sizes', '--sizes <list>', 'sizes of frames: 1280x720,640x480', 'usual'],
      ['allowPartial', '--allow-partial', 'caption truncated files too; a column partial marks them'],
      ['decoders', '--decoders <n>', 'videos decoded at once, by all replicas; 0: by the cores, or the CPU quota'],
      ['decodeTimeout', '--decode-timeout <s>', 'seconds after which decoding one video is given up'],
      ['decodeMemory', '--decode-memory <GiB>', 'memory that decoding one video may take; 0: no limit'],
      ['ffmpeg', '--ffmpeg <file>', 'the ffmpeg command to use, instead of what is found']
    ]
  ],
  [
    'Captions',
    [
      ['prompt', '--prompt <name|text>', "preset or text; {}: the row's text; several: a=TEXT", 'usual'],
      [
        'promptFile',
        '--prompt-file <file>',
        'presets of your own: JSON, or one prompt as text; --prompt chooses (docs/prompts.md)'
      ],
      ['maxTokens', '--max-tokens <n>', 'longest caption, in tokens', 'usual'],
      ['temperature', '--temperature <t>', '0 takes the likeliest token'],
      ['topP', '--top-p <p>', 'sample from this share of the probability'],
      ['seed', '--seed <n>', 'of the sampling'],
      ['jsonSchemaFile', '--json-schema <file>', 'answers are JSON of this schema (docs/json.md)'],
      ['grammarFile', '--grammar <file>', 'answers are texts of this grammar, in GBNF'],
      ['jsonColumns', '--json-columns', 'each property of such JSON in a column'],
      ['repetitionStop', '--no-repetition-stop', 'let an answer that says one passage over and over go on'],
      [
        'retryFlagged',
        '--retry-flagged [list]',
        'ask once more for flagged captions: all, or flags such as refusal,cut'
      ],
      ['trimSentence', '--trim-sentence', 'cut an unfinished last sentence'],
      ['clean', '--clean', 'drop usual openings: "The video shows a man" is "A man"', 'usual'],
      ['prefix', '--prefix <text>', 'before each caption, to the letter: "TRIGGER, "'],
      ['suffix', '--suffix <text>', 'after each caption']
    ]
  ],
  [
    'Input and output',
    [
      ['root', '--root <dir>', "where relative paths start (default: the table's folder)", 'usual'],
      ['shard', '--shard <i/n>', 'a share of the rows, i from 0', 'usual'],
      ['shards', '--shards <n>', 'how many shards there are, where a launcher says only which one this is'],
      ['format', '--format <name>', 'csv, tsv, jsonl, parquet (default: by the names)', 'usual'],
      ['inputFormat', '--input-format <name>', "the table's, where it is another than the output's"],
      ['usageColumns', '--usage-columns', 'columns prompt_tokens, completion_tokens and cost'],
      ['sidecar', '--sidecar', 'each caption also as clip.txt beside clip.mp4', 'usual'],
      ['sidecarExists', '--sidecar-exists <what>', 'where that file is there: skip, overwrite, append or prepend'],
      ['sidecarExt', '--sidecar-ext <ending>', 'its ending instead of .txt, such as .caption'],
      ['compat', '--compat <tool>', 'output columns of another tool: open-sora'],
      ['for', '--for <trainer>', 'musubi, ltx, finetrainers or hf-folder', 'usual'],
      ['kind', '--kind <kind>', 'video or image alone', 'usual'],
      ['caption', '--caption <name>', 'which of several captions a row has', 'usual'],
      ['partial', '--partial', 'what an unfinished run has so far', 'usual'],
      ['out', '--out <dir>', 'where videos and captions go', 'usual'],
      ['clips', '--clips <n>', 'captions to make (default: each file once, up to 100)', 'usual']
    ]
  ],
  [
    'Files of a folder',
    [
      ['type', '--type <kind>', 'video, image or all of them', 'usual'],
      ['relative', '--relative', "paths relative to the output's folder", 'usual'],
      ['id', '--id', "a column id: the file's name without its ending", 'usual'],
      ['probe', '--probe', 'columns of what each file is: frames, size, fps, …', 'usual'],
      ['minFrames', '--min-frames <n>', 'leave out files with fewer frames', 'usual'],
      ['minSide', '--min-side <pixels>', 'leave out files with a shorter side', 'usual'],
      ['maxSeconds', '--max-seconds <s>', 'leave out videos that last longer', 'usual']
    ]
  ],
  [
    'Tables',
    [
      ['on', '--key <columns>', 'the columns by which a row is known (default: path)'],
      ['columns', '--columns <list>', 'columns to take (default: all that the table has not)'],
      ['inner', '--inner', 'leave out rows of the table without a caption'],
      ['examples', '--examples <n>', 'differences of each kind that are shown'],
      ['parts', '--parts <n>', 'how many parts, of about as many rows each'],
      ['rows', '--rows <n>', 'rows of each part, the last one excepted'],
      ['input', '--input <table>', 'the table of the shards, where it is elsewhere now'],
      ['mayDiffer', '--may-differ <list>', 'settings that may differ, such as model,mmproj']
    ]
  ],
  [
    'Going on and giving up',
    [
      ['restart', '--restart', 'begin anew instead of going on', 'usual'],
      ['journal', '--journal <dir>', "the journal's folder (default: beside the output; none for a stream)"],
      ['retryFailed', '--retry-failed [list]', 'failed rows again: all, or such as unreadable,missing', 'usual'],
      ['maxFailures', '--max-failures <n|p%>', 'stop when more rows fail than this; 0: at the first'],
      ['grace', '--grace <s>', 'seconds that captions under way may take when the run is stopped']
    ]
  ]
]

const flags = groups.flatMap(([heading, flags]) => flags.map((flag) => [heading, ...flag] as const))

/** Defaults of the command that the library has not: it heeds the variables of a launcher. */
const defaults: Record<string, string> = { shard: 'auto' }
/** Options with a value that a flag of its own leaves out, whatever their default. */
const without: Record<string, [flag: string, description: string]> = {
  shard: ['--no-shard', 'all rows, whatever variables of a launcher say']
}

/** So many options a command's short help shows whole; of more it shows the usual ones. */
const shortHelpOptions = 10

/** Adds the flags of a command's options; `descriptions` where one means something else there. */
export function addFlags(command: Command, name: CommandName, descriptions: Record<string, string> = {}): void {
  const own = flags.filter(([, option]) => optionField(name, option))
  for (const [heading, option, written, description, usual] of own) {
    const field = optionField(name, option)!
    const flag = new Option(written, descriptions[option] ?? description).helpGroup(`${heading}:`)
    flag.hideHelp(own.length > shortHelpOptions && !usual)
    // Commander repeats a value that does not pass; a key is checked later.
    if (field.kind === 'flag' || option === 'key') {
      command.addOption(flag)
      continue
    }
    flag.argParser((text, before) => {
      try {
        const value = field.check(readAs(field.kind, text))
        return option === 'prompt' ? [...((before as unknown[] | undefined) ?? []), value] : value
      } catch (error) {
        if (error instanceof VcapError) throw new InvalidArgumentError(error.message)
        throw error
      }
    })
    if (written.endsWith(']')) flag.preset('all')
    const initial = defaults[option] ?? field.initial
    const shown = initial !== undefined && initial !== '' && field.kind !== 'list'
    command.addOption(shown ? flag.default(initial) : flag)
    if (without[option])
      command.addOption(new Option(...without[option]).helpGroup(`${heading}:`).hideHelp(own.length > shortHelpOptions))
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

/** `--prompt` as often as it was given: one question, or several by name. */
function toQuestions(written: string[], name: CommandName): Record<string, unknown> {
  if (optionField(name, 'prompts')) return readQuestions(written)
  if (written.length === 1) return { prompt: written[0] }
  throw new VcapError('usage', `${name} takes one question: give --prompt once`)
}

/** The options of the library for the flags of a command that commander parsed. */
export function toOptions(parsed: Record<string, unknown>, name: CommandName): Record<string, unknown> {
  return Object.fromEntries(
    flags.flatMap(([, option, written]) => {
      if (!optionField(name, option)) return []
      const value = parsed[new Option(written).attributeName()]
      if (option === 'prompt' && value !== undefined) return Object.entries(toQuestions(value as string[], name))
      return value === undefined || (value === false && option in without) ? [] : [[option, value]]
    })
  )
}
