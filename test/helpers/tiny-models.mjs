/** The shapes of a LLaVA pair that takes no time to write and to load. */

/** For `languageModel` of tools/models/llava.mjs: Yi's layout of tokens, cut at 512. */
export const tinyModel = {
  name: 'tiny',
  width: 64,
  layers: 1,
  heads: 4,
  groups: 2,
  feedForward: 128,
  vocabulary: 512,
  context: 512,
  ropeBase: 1e4,
  type: 'F16'
}

/** For `projector` of tools/models/llava.mjs; it projects to the width of `tinyModel`. */
export const tinyProjector = {
  name: 'tiny projector',
  image: 56,
  patch: 14,
  width: 64,
  layers: 2,
  heads: 2,
  feedForward: 128,
  projection: 64,
  type: 'F16'
}
