/**
 * LLaVA GGUF pairs of any size: the metadata and the tensors that a converter writes. The weights come
 * from `fill(name, type, size)`, which returns a tensor's bytes, or nothing for a hole.
 */
import { GgufWriter } from './gguf.mjs'

const byteTokens = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 }

/** Id of Yi's first byte token. */
const firstByte = 134

/**
 * A sentencepiece vocabulary laid out as Yi-34B's: tokens 6 and 7 are ChatML's marks, which converters of Yi type as
 * ordinary text (`markType`), and byte tokens begin at 134. Without `chatml` 6 and 7 are other tokens. `pieces` are
 * further tokens by their ids.
 */
function vocabulary(size, chatml, markType, pieces) {
  const marks = chatml ? ['<|im_start|>', '<|im_end|>'] : ['<|6|>', '</s>']
  const specials = ['<unk>', '<|startoftext|>', '<|endoftext|>', '<|Human|>', '<|Assistant|>', '<|System|>']
  const tokens = [...specials, ...marks, '<|im_sep|>']
  const types = [tokenTypes.unknown, ...specials.slice(1).map(() => tokenTypes.control), markType, markType]
  types.push(tokenTypes.normal)
  while (tokens.length < firstByte) tokens.push(`<|reserved${tokens.length}|>`)
  while (types.length < firstByte) types.push(tokenTypes.control)
  tokens.push(...byteTokens)
  types.push(...byteTokens.map(() => tokenTypes.byte))
  // Printable ASCII as single characters, then filler tokens that occur in no text.
  for (let code = 33; code < 127; code++) tokens.push(String.fromCharCode(code))
  tokens.push('\u2581')
  while (tokens.length < size) tokens.push(`\u2581\u00b6${tokens.length}`)
  while (types.length < size) types.push(tokenTypes.normal)
  for (const [id, piece] of Object.entries(pieces)) tokens[id] = piece
  return { tokens, types, scores: tokens.map((_, id) => -id) }
}

/**
 * The language model, of llama's architecture, from its shape:
 * `{ name, width, layers, heads, groups, feedForward, vocabulary, context, ropeBase, type, outputType }`. Matrices are
 * stored as `type`, the output head as `outputType`, norms as F32.
 */
export function languageModel(shape, fill = () => undefined) {
  const {
    name,
    width,
    layers,
    heads,
    groups,
    feedForward,
    context,
    ropeBase,
    chatml = true,
    markType = tokenTypes.normal,
    pieces = {}
  } = shape
  const head = width / heads
  const { tokens, types, scores } = vocabulary(shape.vocabulary, chatml, markType, pieces)
  const file = new GgufWriter()
    .set('general.architecture', 'string', 'llama')
    .set('general.name', 'string', name)
    .set('llama.context_length', 'uint32', context)
    .set('llama.embedding_length', 'uint32', width)
    .set('llama.block_count', 'uint32', layers)
    .set('llama.feed_forward_length', 'uint32', feedForward)
    .set('llama.attention.head_count', 'uint32', heads)
    .set('llama.attention.head_count_kv', 'uint32', groups)
    .set('llama.attention.layer_norm_rms_epsilon', 'float32', 1e-5)
    .set('llama.rope.freq_base', 'float32', ropeBase)
    .set('llama.rope.dimension_count', 'uint32', head)
    .set('llama.vocab_size', 'uint32', shape.vocabulary)
    .set('tokenizer.ggml.model', 'string', 'llama')
    .setList('tokenizer.ggml.tokens', 'string', tokens)
    .setList('tokenizer.ggml.scores', 'float32', scores)
    .setList('tokenizer.ggml.token_type', 'int32', types)
    .set('tokenizer.ggml.bos_token_id', 'uint32', 1)
    .set('tokenizer.ggml.eos_token_id', 'uint32', 7)
    .set('tokenizer.ggml.unknown_token_id', 'uint32', 0)
    .set('tokenizer.ggml.add_bos_token', 'bool', false)
    .set('tokenizer.ggml.add_space_prefix', 'bool', false)
  return languageTensors(file, shape, fill)
}

/** Adds the tensors of a language model of this shape to its file. */
export function languageTensors(file, shape, fill = () => undefined) {
  const { width, layers, heads, groups, feedForward, type, outputType = type } = shape
  const head = width / heads
  const matrix = (tensor, shape_, as = type) => file.tensor(tensor, as, shape_, fill(tensor, as))
  const vector = (tensor, length) => file.tensor(tensor, 'F32', [length], fill(tensor, 'F32'))
  matrix('token_embd.weight', [width, shape.vocabulary])
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`
    vector(`${block}.attn_norm.weight`, width)
    matrix(`${block}.attn_q.weight`, [width, width])
    matrix(`${block}.attn_k.weight`, [width, head * groups])
    matrix(`${block}.attn_v.weight`, [width, head * groups])
    matrix(`${block}.attn_output.weight`, [width, width])
    vector(`${block}.ffn_norm.weight`, width)
    matrix(`${block}.ffn_gate.weight`, [width, feedForward])
    matrix(`${block}.ffn_up.weight`, [width, feedForward])
    matrix(`${block}.ffn_down.weight`, [feedForward, width])
  }
  vector('output_norm.weight', width)
  matrix('output.weight', [width, shape.vocabulary], outputType)
  return file
}

/**
 * The projector's file from its shape, `{ name, image, patch, width, layers, heads, feedForward, projection, type }`:
 * CLIP's tower without its last block, and LLaVA's MLP. Tensors are named as the legacy converter names them (fc1 is
 * ffn_down).
 */
export function projector(shape, fill = () => undefined) {
  const {
    name,
    image,
    patch,
    width,
    layers,
    heads,
    feedForward,
    projection,
    type,
    grid = [
      [1, 2],
      [2, 1],
      [2, 2],
      [3, 1],
      [1, 3]
    ]
  } = shape
  const file = new GgufWriter()
    .set('general.architecture', 'string', 'clip')
    .set('general.name', 'string', name)
    .set('clip.has_text_encoder', 'bool', false)
    .set('clip.has_vision_encoder', 'bool', true)
    .set('clip.has_llava_projector', 'bool', true)
    .set('clip.projector_type', 'string', 'mlp')
    .set('clip.use_gelu', 'bool', false)
    .set('clip.vision.image_size', 'uint32', image)
    .set('clip.vision.patch_size', 'uint32', patch)
    .set('clip.vision.embedding_length', 'uint32', width)
    .set('clip.vision.feed_forward_length', 'uint32', feedForward)
    .set('clip.vision.projection_dim', 'uint32', 768)
    .set('clip.vision.attention.head_count', 'uint32', heads)
    .set('clip.vision.attention.layer_norm_epsilon', 'float32', 1e-5)
    .set('clip.vision.block_count', 'uint32', layers)
    .setList('clip.vision.image_mean', 'float32', [0.48145466, 0.4578275, 0.40821073])
    .setList('clip.vision.image_std', 'float32', [0.26862954, 0.26130258, 0.27577711])
    .setList(
      'clip.vision.image_grid_pinpoints',
      'int32',
      grid.flat().map((tiles) => tiles * image)
    )
    .set('clip.vision.mm_patch_merge_type', 'string', 'spatial_unpad')
    .set('clip.vision.image_aspect_ratio', 'string', 'anyres')
  const matrix = (tensor, shape_, as = type) => file.tensor(tensor, as, shape_, fill(tensor, as))
  const vector = (tensor, length) => file.tensor(tensor, 'F32', [length], fill(tensor, 'F32'))
  const linear = (tensor, from, to) => {
    matrix(`${tensor}.weight`, [from, to])
    vector(`${tensor}.bias`, to)
  }
  const norm = (tensor) => {
    vector(`${tensor}.weight`, width)
    vector(`${tensor}.bias`, width)
  }
  vector('v.class_embd', width)
  matrix('v.patch_embd.weight', [patch, patch, 3, width], 'F16')
  matrix('v.position_embd.weight', [width, (image / patch) ** 2 + 1])
  norm('v.pre_ln')
  for (let layer = 0; layer < layers; layer++) {
    const block = `v.blk.${layer}`
    norm(`${block}.ln1`)
    for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_out']) linear(`${block}.${part}`, width, width)
    norm(`${block}.ln2`)
    linear(`${block}.ffn_down`, width, feedForward)
    linear(`${block}.ffn_up`, feedForward, width)
  }
  linear('mm.0', width, projection)
  linear('mm.2', projection, projection)
  vector('v.image_newline', projection)
  return file
}

/** LLaVA-1.6-34B: a Yi-34B language model and CLIP-L/336's first 23 blocks. */
export const llava34b = {
  languageModel: (type) => ({
    name: 'LLaVA-1.6-34B (zeros)',
    width: 7168,
    layers: 60,
    heads: 56,
    groups: 8,
    feedForward: 20480,
    vocabulary: 64000,
    context: 4096,
    ropeBase: 5e6,
    type,
    outputType: type === 'Q4_K' ? 'Q6_K' : type
  }),
  projector: (type) => ({
    name: 'LLaVA-1.6-34B projector (zeros)',
    image: 336,
    patch: 14,
    width: 1024,
    layers: 23,
    heads: 16,
    feedForward: 4096,
    projection: 7168,
    type
  })
}
