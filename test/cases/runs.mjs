/**
 * What happens to a whole run, to its captions and to its model files. A case says what `happens` and names the test
 * that shows it, by file and title; those of runs.test.mjs are of this folder.
 */
const here = 'cases/runs.test.mjs'
const inGroup = (group, cases) => cases.map(([name, happens, file, title]) => ({ group, name, happens, file, title }))

const runs = inGroup('The run', [
  [
    'SIGKILL of all its processes in mid-run',
    'the same command goes on; the output is the undisturbed run’s to the byte',
    here,
    'SIGKILL of the whole process group'
  ],
  [
    'a kill or a power cut at every call that changes the disk',
    'the same command goes on; nothing is lost, doubled or captioned again after its record',
    'run/simulation.test.mjs',
    'killed, or without power, at every call that changes the disk'
  ],
  [
    'SIGKILL at random moments, again and again',
    'as above; no row is captioned again after its record',
    '../scripts/kill-runs.mjs',
    'SIGKILL'
  ],
  [
    'SIGINT (Ctrl-C), SIGTERM',
    '130, 143: captions under way may finish, one line says that the same command goes on',
    'cli/run.test.mjs',
    'leaves the output as it was, and the same command goes on'
  ],
  [
    'SIGHUP (the terminal closes)',
    '129, and the same command goes on; under nohup the run does',
    'cli/signals.test.mjs',
    'to the whole process group ends a run with'
  ],
  [
    'a second SIGINT',
    '130 at once, and the same command goes on',
    'cli/run.test.mjs',
    'a second signal ends it at once'
  ],
  [
    'a decoder killed, as by the OOM killer',
    'its row is decoded again by another: captioned',
    here,
    'decoders that are killed in mid-run'
  ],
  [
    'a row whose file ends its decoder each time',
    '`unreadable`: Its decoding ends the process that does it (SIGKILL, twice, …); the others go on',
    here,
    'a decoder that hangs, and one that dies each time'
  ],
  [
    'a decoder that hangs',
    '`unreadable`: Decoding it took too long; the others go on',
    here,
    'a decoder that hangs, and one that dies each time'
  ],
  [
    'the model says one passage over and over',
    'the answer ends after its first round: `truncated`, flag `repetition`',
    'engine/repetition.test.mjs',
    'an answer that loops ends after its first round'
  ],
  [
    'the model refuses to caption',
    'flag `refusal`; `--retry-flagged` asks once more',
    'checks/flags.test.mjs',
    'a refusal is one at the beginning'
  ],
  [
    'the caption tells of frames in place of the video',
    'flag `frame_wording`',
    'checks/flags.test.mjs',
    'frame wording tells of the pictures given'
  ],
  ['one caption on many files', 'flag `duplicate`', 'run/flags.test.mjs', 'one caption on many files is flagged'],
  [
    'stopped while the done rows are counted, or the output is written',
    '130 or 143; nothing is left of it, and the same command goes on',
    'run/run.test.mjs',
    'an abort while the done rows are counted, or the output is made'
  ],
  [
    'the process killed alone, its decoders left behind',
    'they end by themselves',
    'frames/decoder.test.mjs',
    'when its owner is killed'
  ],
  [
    'no decoder can be started',
    '75, `decoder_lost`',
    'frames/decoder.test.mjs',
    'a decoder that cannot be started is no fault of the file'
  ],
  [
    'the engine fails on every row, as with a lost GPU',
    '75, `engine_lost`; the next run captions what it failed',
    'run/journal.test.mjs',
    'rows that a lost engine failed are captioned by the next run'
  ],
  [
    'disk full, quota, read-only or an error of the disk, at each call that writes',
    '75: the message names the file; nothing is lost, and the same command goes on after space is made',
    'run/simulation.test.mjs',
    'at every call that it can hit, twice: nothing lost, the message names the file'
  ],
  [
    'a full device as the output',
    '75: Output could not be written: ENOSPC',
    'cli/run.test.mjs',
    'the output to a stream: standard output, a pipe of the shell, a full disk'
  ],
  ['disk full under stderr', 'the run goes on to its end', 'cli/standard-streams.test.mjs', 'stderr is a full disk'],
  ['stderr closed', 'the run goes on to its end', 'cli/standard-streams.test.mjs', 'nobody reads stderr'],
  [
    'stdout closed',
    'a quiet end with the code it would have had',
    'cli/standard-streams.test.mjs',
    'nobody reads stdout'
  ],
  [
    'a torn last line in the journal',
    'a warning; that row is captioned again',
    here,
    'a journal whose end was torn off'
  ],
  [
    'a damaged line in the journal',
    'a warning; that row is captioned again',
    'run/journal.test.mjs',
    'with any byte flipped keeps the other records'
  ],
  [
    'the journal’s run.json is damaged, or something else is in the journal’s place',
    '2; the message names it and what to do',
    here,
    'what is in the place of a journal'
  ],
  [
    'the same command started twice on one output',
    'the second: 2, `run_locked`, with process and host of the first',
    here,
    'the same command started twice'
  ],
  ['a lock whose holder is dead', 'it is taken over', 'run/journal.test.mjs', 'when that was killed'],
  [
    'rows added, removed, sorted anew or doubled between runs',
    'only what is new is captioned',
    'run/journal.test.mjs',
    'only what is new is captioned'
  ],
  [
    'other options in the second run',
    '2, `run_differs`, with both values',
    'run/journal.test.mjs',
    'other options are refused with both values'
  ],
  [
    'the same command on a finished run',
    'it says so and ends as it did then',
    'run/journal.test.mjs',
    'a finished run says so'
  ],
  [
    'the table grows while its rows are captioned',
    'a warning; the output has the rows it had',
    'rows/table-file.test.mjs',
    'appended rows are warned of'
  ],
  [
    'the table’s rows change while they are captioned',
    '75, `read_failed`',
    'rows/table-file.test.mjs',
    'other rows refused'
  ],
  [
    'a million rows',
    'in memory that does not grow with them',
    'cli/run.test.mjs',
    'memory stays bounded over many rows'
  ],
  ['the clock set back or forward', 'nothing: no row fails for it', here, 'the clock set back and forward'],
  [
    'the output is the input',
    '2, `usage`: … is the input …: name another file',
    'run/run.test.mjs',
    'the output is the input'
  ],
  [
    'the output in a folder that is not there',
    '2, `output_unwritable`',
    'run/run.test.mjs',
    'or its folder is not there'
  ],
  [
    'the output in a folder that cannot be written',
    '2, `output_unwritable`',
    here,
    'an output in a folder that cannot be written'
  ],
  [
    'a read-only output file',
    '2, `output_unwritable`',
    'cli/run.test.mjs',
    'an output that cannot be finished is refused at once'
  ],
  [
    'the output’s name is taken by a folder meanwhile',
    '75; the same command goes on when it is free',
    'rows/output-file.test.mjs',
    'a file that cannot take its name says so'
  ],
  ['a table from a pipe', 'each row once', 'rows/table-file.test.mjs', 'a pipe gives each row once'],
  ['nothing on standard input', '2, `csv_invalid`: … is empty', here, 'nothing on standard input'],
  [
    'reading the table fails',
    '75, `read_failed`',
    'frames/faults.test.mjs',
    'a table whose reading fails ends the run'
  ],
  [
    'reading a file fails',
    '`unreadable`: Reading the file failed twice: …',
    'frames/faults.test.mjs',
    'places(file, placeCount)'
  ],
  ['no folder for temporary files', 'nothing: none is needed', here, 'no folder for temporary files']
])

const captions = inGroup('Captions', [
  ['empty', '`empty`', 'cases/runs.test.mjs', 'captions that are empty'],
  [
    'cut at the token limit',
    '`truncated`, with the text',
    'cli/run.test.mjs',
    'statuses truncated and context_overflow'
  ],
  [
    'longer than the context window',
    '`context_overflow`, with the numbers',
    'cli/run.test.mjs',
    'statuses truncated and context_overflow'
  ],
  [
    'a context that no row fits',
    '2, before the first row',
    'cli/run.test.mjs',
    'a context that no row fits is told before the first row'
  ],
  [
    'the question pushed out by too many image tokens',
    'never: `context_overflow`, or less detail with `--anyres auto`',
    'cli/run.test.mjs',
    'statuses truncated and context_overflow'
  ],
  [
    'a broken UTF-8 sequence at the end',
    'left out: the text is valid UTF-8',
    'core/utf8_test.cpp',
    'a character cut off at the end is dropped'
  ],
  [
    'logits that are no numbers',
    '`engine_error`; three in a row are `engine_lost`',
    'core/engine_test.cpp',
    'features and logits that are no numbers are an error'
  ],
  [
    '`{}` in a text meant for the prompt',
    'stays text',
    'captioner/prompts.test.mjs',
    'cells go in to the letter and are never looked at again'
  ]
])

const models = inGroup('Model files', [
  [
    'not GGUF; truncated; wrong pair; model and projector swapped',
    '2, one line',
    'cli/run.test.mjs',
    'model files swapped, mismatched or damaged'
  ],
  [
    'truncated at any place of its header',
    '2, `model_invalid`',
    'model-files/model-files.test.mjs',
    'a model whose end comes before its header says so'
  ],
  [
    'parts of two models',
    '2, `model_invalid`',
    'model-files/language-model.test.mjs',
    'parts of two models, or in the wrong places, are told'
  ],
  [
    'a hostile header: huge counts',
    '2, `model_invalid`',
    'model-files/language-model.test.mjs',
    'a header that announces millions of keys is refused, not read'
  ],
  [
    'missing tokenizer, zero heads, another architecture',
    '2, `model_invalid`',
    'model-files/model-files.test.mjs',
    'language models: no tokenizer, no heads'
  ],
  [
    'a file changed while it is used',
    '75, `engine_lost`',
    'engine/changed-model.test.mjs',
    "a run whose model's file is cut off in its middle"
  ],
  [
    'not there',
    '2, `model_not_found`: where to put it',
    'cli/run.test.mjs',
    'the model that is not there says where to put it'
  ]
])

const apis = inGroup('An API', [
  [
    '429: `Retry-After` in seconds, as a date, in milliseconds, or none',
    'all requests pause, fewer are sent at once; every row is captioned, once',
    'api/storms.test.mjs',
    '429, as seconds, as a date, in milliseconds, without a time'
  ],
  [
    '500, a cut connection, a cut body, no JSON, no answer in it',
    'tried again; `engine_error` after six times',
    'api/storms.test.mjs',
    '500s, cut connections, cut bodies, no JSON, no choices'
  ],
  [
    'a body that stalls or comes byte by byte',
    'given up after `--request-timeout`, and tried again',
    'api/storms.test.mjs',
    'bodies that stall or drip are given up in time'
  ],
  [
    'one row that the server always fails on',
    '`engine_error` with the reason',
    'api/storms.test.mjs',
    'a row that always fails is engine_error with the reason'
  ],
  [
    'the server is not there, or refuses every row',
    '75, `engine_lost`; no row is blamed',
    'api/storms.test.mjs',
    'a server that is not there: the run ends with 75'
  ],
  [
    'a refusal, a content filter, no answer, a cut one',
    '`empty` with the reason, flag `refusal`; `truncated`',
    'api/gpt4.test.mjs',
    'what each row may be answered'
  ],
  [
    'a key that expires in mid-run',
    '75, `key_expired`, at once; what is done stays',
    'api/storms.test.mjs',
    'a key that expires in mid-run ends it at once'
  ],
  [
    'no money left; a redirect; no such model; nothing at that address',
    'the run ends at once with its code',
    'api/storms.test.mjs',
    'no money left'
  ],
  [
    'SIGKILL again and again',
    'no row is asked for again after its record',
    'api/cost.test.mjs',
    'SIGKILL again and again'
  ],
  [
    'the run costs as much as it may',
    '75, `cost_limit`, before it is exceeded; earlier calls count',
    'api/cost.test.mjs',
    '--max-cost stops before it is exceeded'
  ],
  [
    'killed before or after any call for a batch',
    'the same command goes on; nothing is asked twice',
    'api/batch.test.mjs',
    'the same command goes on, and nothing is asked twice'
  ],
  [
    'a batch that expires, fails for want of room, is refused, is cancelled',
    'asked in another one; made again; 2; 75',
    'api/batch.test.mjs',
    'a batch for which there is no room is made again'
  ],
  [
    'a server that says the key back',
    'it is cleared from messages and captions',
    'api/key.test.mjs',
    'it is in no file and no output'
  ]
])

const together = 'form/several-captions.test.mjs'
const forms = inGroup('Answers in a form', [
  [
    'an answer in JSON that meets `--max-tokens`',
    'the fewest characters make it whole: JSON of the schema, `truncated`, flag `cut`',
    'form/answers.test.mjs',
    'an answer that is cut anywhere is completed to JSON of its schema'
  ],
  [
    'one that says a passage over and over',
    'ended and completed likewise: `truncated`, flag `repetition`',
    'form/answers.test.mjs',
    'a string that goes round is ended, and the JSON completed'
  ],
  [
    'an answer of a server that is cut, or is no JSON',
    'the text stays as it came, and its columns are empty',
    'api/gpt4.test.mjs',
    'a JSON Schema goes to the server, and what it answers into columns'
  ],
  [
    'another form in the second run',
    '2, `run_differs`: form was … and is …, of long ones where they differ; the output stays',
    together,
    'another form is another run'
  ],
  [
    'several prompts, and one of them has no answer',
    'its columns are empty, and those of the others are not',
    together,
    'a caption that has none, of a row that has others, has nothing in its columns'
  ],
  [
    'SIGKILL, or Ctrl-C, of a run with a form and several prompts',
    'the same command goes on to the output of an undisturbed run',
    together,
    ': the same command goes on to the same output'
  ],
  [
    'several prompts for an API, with a form or without',
    '2: gpt4 takes one question: give --prompt once',
    together,
    'an API takes one question, with a form as well'
  ]
])

const prompts = inGroup('Prompts', [
  [
    'a prompt names a column that the table does not have',
    '2, before the model is loaded: the columns that are there, and how braces are written as words',
    'run/prompts.test.mjs',
    'a column that is not there is told before anything slow'
  ],
  [
    'a prompt takes the text of a row that has none: an empty cell, nan, None, null',
    'a preset gives way to the one without the text; elsewhere nothing goes in',
    'captioner/prompts.test.mjs',
    'a row without a text is asked the preset without it'
  ],
  [
    'a cell that looks like a place or a mark: {path}, <image>, <|im_end|>',
    'it is text like any other',
    'captioner/prompts.test.mjs',
    'cells go in to the letter and are never looked at again'
  ],
  [
    'a file of prompts that is not there, no JSON, empty, not UTF-8, or has a name twice',
    '2: what is wrong with which file',
    'captioner/prompts.test.mjs',
    'files that hold no prompts are refused with what is wrong'
  ],
  [
    'a file of prompts that was changed before the run goes on',
    '2, `run_differs`: prompt was … and is …',
    'run/prompts.test.mjs',
    'another text in the file of prompts is another run'
  ],
  [
    'several prompts, and one of them does not fit beside the pictures',
    'that caption is `context_overflow`, and the row with it; the others stand, and `--retry-failed` asks it alone',
    'run/several-captions.test.mjs',
    'only the caption that failed is tried again, and what stands stays to the letter'
  ],
  [
    'several prompts with names that are other columns, one without a name, two of one name, an empty one',
    '2: which name, or which prompt',
    'run/several-captions.test.mjs',
    'names that are other columns are refused, and so is what holds one caption'
  ]
])

const datasets = inGroup('Sidecars and exports', [
  [
    'SIGKILL before or after any sidecar appears',
    'the same command goes on; each caption is added once, no temporary file is left',
    'run/sidecars.test.mjs',
    'killed before or after any rename, a run adds each caption once'
  ],
  [
    'a folder that takes no sidecar',
    '3: the captions are in the output, the sidecars are counted with the first reason; the same command tries again',
    'run/sidecars.test.mjs',
    'what cannot be written is counted and tried again'
  ],
  [
    'clip.mp4 and clip.webm beside each other',
    'one sidecar, with the first row’s caption; the other row is told',
    'run/sidecars.test.mjs',
    'rows that share a name have one sidecar'
  ],
  [
    'a sidecar that was edited by hand after a caption was added to it',
    'it stays as it is',
    'run/sidecars.test.mjs',
    'what the run has written is brought up to date, what is not its own stays'
  ],
  [
    'an output of a run that is not finished is exported',
    '2: it is refused; --partial takes what the run has so far',
    'export/export.test.mjs',
    'an unfinished run is refused'
  ],
  [
    'rows without a caption, or whose file is gone, are exported',
    'they are left out and counted',
    'export/export.test.mjs',
    'musubi-tuner: a JSONL of each kind'
  ],
  [
    'a caption with line ends, for a trainer that reads lines',
    'one line; as many captions as names',
    'export/export.test.mjs',
    'no caption breaks its list, and no name'
  ]
])

const places = 'package/addon-places.test.mjs'
const addons = inGroup('The addon', [
  [
    'no package for this system is installed',
    '2, `addon_missing`: which one, the command that installs it, and what keeps npm from it',
    places,
    'no package: how to install it'
  ],
  [
    'node_modules from another system: musl for glibc, macOS for Linux',
    '2: what is there and for what, and what to install',
    places,
    'no package: how to install it'
  ],
  ['a package of another version', '2: both versions, and the command', places, 'no package: how to install it'],
  [
    'a CPU below the lowest level that there is an addon for',
    '2: its level, the one that is needed, and since when CPUs have it; never a signal',
    places,
    'a processor below the lowest level'
  ],
  [
    'an addon that is cut short, empty, for another processor or system, or something else',
    '2: what it is, and the command that brings a whole one; never a signal',
    places,
    'a file that is no addon for this system'
  ],
  [
    'a library that the addon needs is missing, or glibc is too old',
    '2: its name, and what brings it',
    places,
    'what the system lacks'
  ],
  [
    'an addon that this user may not read, or a Node that may load none',
    '2: which, and what to do',
    places,
    'what this process may not do'
  ],
  [
    'a system without packages (riscv64, macOS on Intel)',
    '2: which systems have them, and how to build',
    places,
    'a system without packages'
  ],
  [
    'a local build that does not load, beside a package that does',
    'the package serves; `doctor` and each run tell of the other',
    places,
    'of the levels the highest that the processor has'
  ],
  [
    'the package with CUDA is installed and does not load',
    'the CPU serves, with a warning before the first row; `--gpus` says why',
    places,
    'the package with CUDA comes first'
  ]
])

export const runCases = [...addons, ...runs, ...captions, ...models, ...apis, ...forms, ...prompts, ...datasets]
