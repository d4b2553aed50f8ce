/** What the content of a file is known to be. */
export interface KnownContent {
  bytes: number
  /** True where `bytes` is rounded, as the hub shows it to people. */
  rounded?: true
  /** In hex; where it is left out, the hub's own counts at the download. */
  sha256?: string
}

/** Files of a repository on the Hugging Face Hub. */
export interface HubSource {
  /** `owner/name`. */
  repo: string
  /** The language model's GGUF file there. */
  model: string
  /** The projector's. */
  mmproj: string
  /** What files of the repository are known to be, by their names. */
  contents?: Readonly<Record<string, KnownContent>>
}

/** What keys and values of a language model take. */
export interface ContextSizes {
  /** Bytes of the keys and values of one position in half precision. */
  kvBytesPerPosition: number
  /** Positions that the model was trained on. */
  contextTrained: number
}

/** A model of the list: the names of its files, and where they come from. */
export interface ListedModel {
  name: string
  description: string
  /** Of the file in the folder for models, where its owner put one. */
  model: string
  mmproj: string
  /** True where the files come with this package. */
  shipped: boolean
  /** Where they are downloaded from. */
  source?: HubSource
  /** By the language model's architecture, for as long as no header says so; left out where the files are here. */
  context?: ContextSizes
  /** The prompt template that it was trained with. */
  template: string
  /** As its authors name it. */
  licence: string
}

/** What the language model that LLaVA was trained on decides. */
type Base = Required<Pick<ListedModel, 'context' | 'template' | 'licence'>>

const yi34b: Base = {
  template: 'chatml_direct',
  licence: 'Apache-2.0 (Yi-34B, Nous Hermes 2); LLaVA data is CC-BY-NC-4.0',
  context: context({ layers: 60, width: 8 * 128, trained: 4096 })
}
const mistral7b: Base = {
  template: 'mistral_instruct',
  licence: 'Apache-2.0 (Mistral-7B); LLaVA data is CC-BY-NC-4.0',
  context: context({ layers: 32, width: 8 * 128, trained: 32_768 })
}
const vicuna = { template: 'llava_v1', licence: 'Llama 2 Community License (Vicuna); LLaVA data is CC-BY-NC-4.0' }
const vicuna7b: Base = { ...vicuna, context: context({ layers: 32, width: 4096, trained: 4096 }) }
const vicuna13b: Base = { ...vicuna, context: context({ layers: 40, width: 5120, trained: 4096 }) }

/** Several quantisations share it. */
const projector34b: KnownContent = {
  bytes: 699_985_504,
  sha256: 'e97cc88e8063fd1fc23f668f00d936f439a7e9b3f1b9ab0c9f1647ef02ce2f3d'
}

/**
 * The models that are known by name; the first of a family is its default. Sizes and checksums are those that the hub
 * publishes.
 */
export const models: readonly ListedModel[] = [
  {
    name: 'demo',
    description: 'one moving shape on a plain background; ships with the package',
    model: 'vcap-demo.gguf',
    mmproj: 'vcap-demo-mmproj.gguf',
    shipped: true,
    template: 'chatml_direct',
    licence: 'MIT'
  },
  listed('llava-v1.6-34b', 'LLaVA-v1.6-34B (Nous Hermes 2 Yi), Q4_K_M', yi34b, 'cjpais/llava-v1.6-34B-gguf', {
    'llava-v1.6-34b.Q4_K_M.gguf': {
      bytes: 20_658_710_784,
      sha256: '8005cfe64b0825f9857477d45ae8f99a991317b0d3629be1e26b6b9c0a8dbd86'
    },
    'mmproj-model-f16.gguf': projector34b
  }),
  listed('llava-v1.6-34b-q5_k_m', 'the same, Q5_K_M', yi34b, 'cjpais/llava-v1.6-34B-gguf', {
    'llava-v1.6-34b.Q5_K_M.gguf': {
      bytes: 24_321_845_504,
      sha256: 'd79b3acb4668dc90401e9e2ff88a8e1d05f2dee16a159af7d7b476dabe5fef51'
    },
    'mmproj-model-f16.gguf': projector34b
  }),
  listed('llava-v1.6-34b-q8_0', 'the same, Q8_0', yi34b, 'cjpais/llava-v1.6-34B-gguf', {
    'llava-v1.6-34b.Q8_0.gguf': {
      bytes: 36_542_281_984,
      sha256: 'b659a02e02a0e1b797b652848e24ffccb23824e02eaccecf0e6d9e1307f86b6c'
    },
    'mmproj-model-f16.gguf': projector34b
  }),
  listed('llava-v1.6-mistral-7b', 'LLaVA-v1.6-Mistral-7B, Q4_K_M', mistral7b, 'cjpais/llava-1.6-mistral-7b-gguf', {
    'llava-v1.6-mistral-7b.Q4_K_M.gguf': {
      bytes: 4_368_439_552,
      sha256: '4bd1bc95c4db74f8140ee520e76d1f83e063d3fde9c3723eaa4a4776785a7aa6'
    },
    'mmproj-model-f16.gguf': {
      bytes: 624_451_168,
      sha256: '00205ee8a0d7a381900cd031e43105f86aa0d8c07bf329851e85c71a26632d16'
    }
  }),
  listed('llava-v1.6-vicuna-7b', 'LLaVA-v1.6-Vicuna-7B, Q4_K_M', vicuna7b, 'cjpais/llava-v1.6-vicuna-7b-gguf', {
    'llava-v1.6-vicuna-7b.Q4_K_M.gguf': {
      bytes: 4.08e9,
      rounded: true,
      sha256: 'bc3360111db647026db732a528aa5c4dbcb1525e12a58f08acf7edbc46cd488c'
    },
    'mmproj-model-f16.gguf': {
      bytes: 624e6,
      rounded: true,
      sha256: 'd1b9981bda94fb0bdddad5ff60f84bb226ec29ade04a6474e0168185d659357d'
    }
  }),
  listed('llava-v1.6-vicuna-13b', 'LLaVA-v1.6-Vicuna-13B, Q4_K_M', vicuna13b, 'cjpais/llava-v1.6-vicuna-13b-gguf', {
    'llava-v1.6-vicuna-13b.Q4_K_M.gguf': {
      bytes: 7.87e9,
      rounded: true,
      sha256: '3dc41611247c80cbe52172da8d82bf14cb3e762ad7b5617af3ecebc040fc7f05'
    },
    'mmproj-model-f16.gguf': { bytes: 645e6, rounded: true }
  }),
  listed('llava-v1.5-7b', 'LLaVA-v1.5-7B (Vicuna), Q4_K', vicuna7b, 'mys/ggml_llava-v1.5-7b', {
    'ggml-model-q4_k.gguf': {
      bytes: 4.08e9,
      rounded: true,
      sha256: '7ac9c2f7b8d76cc7f3118cdf0953ebab7a7a9b12bad5dbe237219d2ab61765ea'
    },
    'mmproj-model-f16.gguf': { bytes: 624e6, rounded: true }
  }),
  listed('llava-v1.5-13b', 'LLaVA-v1.5-13B (Vicuna), Q4_K', vicuna13b, 'mys/ggml_llava-v1.5-13b', {
    'ggml-model-q4_k.gguf': {
      bytes: 7.87e9,
      rounded: true,
      sha256: '6b886ec5a539426434ba2477196539184cf8e880b6c40106ee954261aa2b602f'
    },
    'mmproj-model-f16.gguf': {
      bytes: 645e6,
      rounded: true,
      sha256: '3ee8038be0be43eac5bee15fca42215fb98e00d2ebf9c9d0c453eb2573cae1aa'
    }
  })
]

/** `contents` are the model and the projector, in this order. */
function listed(
  name: string,
  description: string,
  base: Base,
  repo: string,
  contents: Record<string, KnownContent>
): ListedModel {
  const [model, mmproj] = Object.keys(contents) as [string, string]
  return {
    ...{ name, description, model: `${name}.gguf`, mmproj: `${name}-mmproj.gguf`, shipped: false },
    ...{ source: { repo, model, mmproj, contents }, ...base }
  }
}

/** `width`: numbers of the keys, and of the values, of one layer. */
function context({ layers, width, trained }: { layers: number; width: number; trained: number }): ContextSizes {
  return { kvBytesPerPosition: layers * 2 * width * 2, contextTrained: trained }
}

/** Bytes of both files of a model on the hub, and whether they are rounded; undefined where it is not from there. */
export function sizeOnHub({ source }: Pick<ListedModel, 'source'>): { bytes: number; rounded: boolean } | undefined {
  if (!source?.contents) return undefined
  const both = [source.model, source.mmproj].flatMap((file) => source.contents?.[file] ?? [])
  return {
    bytes: both.reduce((sum, { bytes }) => sum + bytes, 0),
    rounded: both.some(({ rounded }) => rounded === true)
  }
}
