/**
 * One model of the parity harness through the addon: figures, and which of them miss their
 * mark. Pictures go in whole, as a user's do; that their tiles are the reference's, byte for
 * byte, is judged apart in pixels.mjs.
 */
import { compareRows, compareTokens, largestDifference } from './compare.mjs'
import { picture } from './picture.mjs'

/**
 * What must hold, by the roughest type among the weights. `margin`: where a greedy token differs, HF's lead of its own
 * token over the next may be at most so large.
 */
export const bounds = {
  F32: { cosine: 0.99999, relative: 1e-4, logits: 1e-3, margin: 0 },
  F16: { cosine: 0.9999, relative: Infinity, logits: Infinity, margin: 1e-2 },
  // Nobody asks for exactness here, since for few rows ggml rounds activations to 8 bits: loose enough for that, and
  // too tight for any mistake of ours.
  Q8_0: { cosine: 0.98, relative: Infinity, logits: Infinity, margin: 0.5 }
}

export async function loadPair(addon, expected, options = {}) {
  return addon.loadModel(
    {
      model: expected.model,
      mmproj: expected.mmproj,
      devices: [],
      splitMode: 'layer',
      tensorSplit: [],
      sequences: 4,
      contextPerSequence: contextFor(expected),
      threads: 1,
      // At half precision the cache alone moves logits by a hundredth.
      kvType: 'f32',
      chatTemplate: expected.template,
      ...options
    },
    () => {}
  ).promise
}

/**
 * Figures of every image and prompt: `{ images: [...], captions: [...], faults: [...] }`. `options` as of `loadModel`;
 * `bound` is what must hold where it is not that of the model's types.
 */
export async function checkModel(addon, expected, options = {}, bound = undefined) {
  const model = await loadPair(addon, expected, options)
  try {
    const images = await checkImages(addon, model, expected)
    const captions = await checkCaptions(model, expected)
    const videos = await checkVideos(model, expected)
    return {
      images,
      captions,
      videos,
      faults: [
        ...poolingFaults(model.info.vision, expected),
        ...videoFaults(videos, bound ?? bounds[expected.visionType], bound ?? bounds[expected.precision]),
        ...imageFaults(images, bound ?? bounds[expected.visionType]),
        ...captionFaults(captions, bound ?? bounds[expected.precision])
      ]
    }
  } finally {
    await model.close()
  }
}

/** The picture of an expected image, drawn again from its seed. */
function pictureOf({ width, height, seed }) {
  return picture(width, height, seed)
}

/** All images in one call, so that tiles of several share the tower's batches. */
async function checkImages(addon, model, expected) {
  const packed = await model.embed(expected.images.map(pictureOf), 'full').promise
  let offset = 0
  return expected.images.map((image, i) => {
    const layout = addon.testing.layout(model.info.vision, image.width, image.height, Number.MAX_SAFE_INTEGER)
    const features = packed.data.subarray(offset, (offset += packed.counts[i] * packed.width))
    return {
      kind: image.kind,
      size: `${image.width}x${image.height}`,
      grid: `${layout.cols}x${layout.rows}`,
      expectedGrid: `${image.cols}x${image.rows}`,
      tokens: packed.counts[i],
      expectedTokens: image.count,
      layoutTokens: layout.tokens,
      ...compareRows(features, image.features, packed.width)
    }
  })
}

/**
 * All prompts at once, so that they share the language model's batches; each once more behind another question about
 * the same images, which are then prefilled once for all three.
 */
async function checkCaptions(model, expected) {
  return Promise.all(
    expected.captions.map(async (caption) => {
      const ask = (question) => ({
        ...{ prompt: question, maxTokens: 32, temperature: 0, topP: 1, seed: 0 },
        ...{ ignoreEos: false, repetitionStop: false, firstLogits: true }
      })
      const [answer, , again] = await model.caption({
        pictures: caption.images.map((i) => pictureOf(expected.images[i])),
        detail: 'full',
        questions: [ask(caption.question), ask('What else?'), ask(caption.question)]
      }).promise
      const both = [answer, again].map((each) => compareTokens(each.tokens, caption))
      return {
        images: caption.images.length,
        promptTokens: answer.promptTokens,
        expectedPromptTokens: caption.promptTokens,
        logits: Math.max(...[answer, again].map((each) => largestDifference(each.firstLogits, caption.logits))),
        steps: caption.tokens.length,
        ...(both[1].agreed < both[0].agreed ? both[1] : both[0])
      }
    })
  )
}

/** The frames of an expected video. */
function framesOf({ frames, width, height, seed }) {
  return Array.from({ length: frames }, (_, i) => picture(width, height, seed + i))
}

/** Videos whose frames are pooled, all at once: poolings of all kinds share the tower's calls. */
async function checkVideos(model, { videos = [] }) {
  return Promise.all(
    videos.map(async (video) => {
      const { pooling } = video
      const packed = await model.embed(framesOf(video), 'full', pooling).promise
      const [answer] = await model.caption({
        pictures: framesOf(video),
        detail: 'full',
        pooling,
        questions: [{ prompt: video.question, maxTokens: 32, temperature: 0, topP: 1, seed: 0, firstLogits: true }]
      }).promise
      return {
        kind: Object.values(pooling).join(' '),
        size: `${video.frames} x ${video.width}x${video.height}`,
        tokens: packed.tokens,
        imageTokens: answer.imageTokens,
        expectedTokens: video.count,
        tiles: answer.tiles,
        frames: video.frames,
        images: video.frames,
        ...compareRows(packed.data, video.features, packed.width),
        promptTokens: answer.promptTokens,
        expectedPromptTokens: video.promptTokens,
        logits: largestDifference(answer.firstLogits, video.logits),
        steps: video.tokens.length,
        ...compareTokens(answer.tokens, video)
      }
    })
  )
}

function poolingFaults(vision, { pooling }) {
  const [has, wanted] = [vision.pooling, pooling ?? { ...vision.pooling, stride: 1 }].map((each) =>
    JSON.stringify(each)
  )
  return has === wanted ? [] : [`the metadata say ${wanted} of a video's frames, the model ${has}`]
}

function videoFaults(videos, visionBound, bound) {
  return videos.flatMap((video) =>
    [
      video.tokens === video.expectedTokens || `${video.tokens} tokens instead of ${video.expectedTokens}`,
      video.imageTokens === video.tokens || `a caption has ${video.imageTokens} image tokens, embed ${video.tokens}`,
      video.tiles === video.frames || `${video.tiles} tiles of ${video.frames} frames`,
      video.cosine >= visionBound.cosine || `cosine ${video.cosine} < ${visionBound.cosine}`,
      video.relative <= visionBound.relative || `relative error ${video.relative} > ${visionBound.relative}`,
      ...captionFaults([video], bound)
    ]
      .filter((fault) => fault !== true)
      .map((fault) => `video ${video.kind}, ${video.size}: ${fault}`)
  )
}

// Written so that NaN is a fault.
function imageFaults(images, bound) {
  return images.flatMap((image) =>
    [
      image.grid === image.expectedGrid || `grid ${image.grid} instead of ${image.expectedGrid}`,
      image.tokens === image.expectedTokens || `${image.tokens} tokens instead of ${image.expectedTokens}`,
      image.layoutTokens === image.tokens || `layout says ${image.layoutTokens} tokens, embed gives ${image.tokens}`,
      image.cosine >= bound.cosine || `cosine ${image.cosine} < ${bound.cosine}`,
      image.relative <= bound.relative || `relative error ${image.relative} > ${bound.relative}`
    ]
      .filter((fault) => fault !== true)
      .map((fault) => `image ${image.kind} ${image.size}: ${fault}`)
  )
}

function captionFaults(captions, bound) {
  return captions.flatMap((caption, i) =>
    [
      caption.promptTokens === caption.expectedPromptTokens ||
        `${caption.promptTokens} prompt tokens instead of ${caption.expectedPromptTokens}`,
      caption.logits <= bound.logits || `first logits differ by ${caption.logits} > ${bound.logits}`,
      caption.margin === Infinity ||
        caption.margin <= bound.margin ||
        `token ${caption.agreed} of ${caption.steps} differs at a margin of ${caption.margin}`
    ]
      .filter((fault) => fault !== true)
      .map((fault) => `prompt ${i} of ${caption.images} images: ${fault}`)
  )
}

function contextFor({ captions, images, videos = [] }) {
  const longest = Math.max(
    ...captions.map((c) => c.promptTokens + c.images.reduce((sum, i) => sum + images[i].count, 0)),
    ...videos.map((video) => video.promptTokens + video.count)
  )
  return longest + 32
}

/** The worst of every figure of one model. */
export function summarise({ images, captions: stills, videos }) {
  const captions = [...stills, ...videos]
  const finite = captions.filter((c) => c.margin !== Infinity)
  return {
    images: images.length,
    cosine: Math.min(...[...images, ...videos].map((i) => i.cosine)),
    relative: Math.max(...[...images, ...videos].map((i) => i.relative)),
    prompts: captions.length,
    logits: Math.max(...captions.map((c) => c.logits)),
    agreed: captions.reduce((sum, c) => sum + c.agreed, 0),
    steps: captions.reduce((sum, c) => sum + c.steps, 0),
    largestMissedMargin: Math.max(0, ...finite.map((c) => c.margin))
  }
}
