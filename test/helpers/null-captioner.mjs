/** A captioner without frames or a model: every row has the same caption, at once. */
export function nullCaptioner(concurrency = 16) {
  const caption = {
    status: 'ok',
    text: 'A red circle moves from left to right on a navy background, and nothing else is to be seen.',
    numFrames: 120,
    error: null,
    usage: { imageTokens: 1948, promptTokens: 2000, tokens: 24, tiles: 15 }
  }
  return {
    info: {
      name: 'null',
      summary: 'null: no model',
      digest: 'null',
      warnings: [],
      window: (concurrency + 4) * 4,
      concurrency
    },
    captionRow: async () => caption,
    close: async () => undefined
  }
}
