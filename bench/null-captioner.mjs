/** A captioner without frames or a model: every file has the same caption, at once. */
export function nullCaptioner(sequences = 16) {
  const caption = {
    error: null,
    text: 'A red circle moves from left to right on a navy background, and nothing else is to be seen.',
    tokens: Array.from({ length: 24 }, (_, i) => 1000 + i),
    status: 'ok',
    promptTokens: 2000,
    imageTokens: 1948,
    tiles: 15,
    numFrames: 120,
    timings: { frames: 0, tiles: 0, queued: 0, vision: 0, prefill: 0, decode: 0 }
  }
  return {
    info: {
      name: 'null',
      parameters: 0,
      devices: [],
      sequences,
      contextPerSequence: 4096,
      chatTemplate: 'none',
      chatTemplateReason: 'null engine'
    },
    warnings: [],
    window: (sequences + 4) * 4,
    captionOrError: async (path) => ({ path, ...caption })
  }
}
