/** Files of a repository on the Hugging Face Hub. */
export interface HubSource {
  /** `owner/name`. */
  repo: string
  /** The language model's GGUF file there. */
  model: string
  /** The projector's. */
  mmproj: string
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
  /** GB of both files, as those who publish them say; the hub's own sizes count. */
  gigabytes?: number
  /** The prompt template that it was trained with. */
  template: string
  /** As its authors name it. */
  licence: string
}

const yi = 'Apache-2.0 (Yi-34B, Nous Hermes 2); LLaVA data is CC-BY-NC-4.0'
const mistral = 'Apache-2.0 (Mistral-7B); LLaVA data is CC-BY-NC-4.0'
const vicuna = 'Llama 2 Community License (Vicuna); LLaVA data is CC-BY-NC-4.0'

/** The models that are known by name; the first of a family is its default. */
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
  {
    ...published('llava-v1.6-34b', 'LLaVA-v1.6-34B (Nous Hermes 2 Yi), Q4_K_M', 'chatml_direct', yi),
    source: cjpais('llava-v1.6-34B-gguf', 'llava-v1.6-34b.Q4_K_M.gguf'),
    gigabytes: 21.4
  },
  {
    ...published('llava-v1.6-34b-q5_k_m', 'the same, Q5_K_M', 'chatml_direct', yi),
    source: cjpais('llava-v1.6-34B-gguf', 'llava-v1.6-34b.Q5_K_M.gguf'),
    gigabytes: 25
  },
  {
    ...published('llava-v1.6-34b-q8_0', 'the same, Q8_0', 'chatml_direct', yi),
    source: cjpais('llava-v1.6-34B-gguf', 'llava-v1.6-34b.Q8_0.gguf'),
    gigabytes: 37.2
  },
  {
    ...published('llava-v1.6-mistral-7b', 'LLaVA-v1.6-Mistral-7B, Q4_K_M', 'mistral_instruct', mistral),
    source: cjpais('llava-1.6-mistral-7b-gguf', 'llava-v1.6-mistral-7b.Q4_K_M.gguf'),
    gigabytes: 5
  },
  {
    ...published('llava-v1.6-vicuna-7b', 'LLaVA-v1.6-Vicuna-7B, Q4_K_M', 'llava_v1', vicuna),
    source: cjpais('llava-v1.6-vicuna-7b-gguf', 'llava-v1.6-vicuna-7b.Q4_K_M.gguf'),
    gigabytes: 4.7
  },
  {
    ...published('llava-v1.6-vicuna-13b', 'LLaVA-v1.6-Vicuna-13B, Q4_K_M', 'llava_v1', vicuna),
    source: cjpais('llava-v1.6-vicuna-13b-gguf', 'llava-v1.6-vicuna-13b.Q4_K_M.gguf'),
    gigabytes: 8.5
  },
  {
    ...published('llava-v1.5-7b', 'LLaVA-v1.5-7B (Vicuna), Q4_K', 'llava_v1', vicuna),
    source: { repo: 'mys/ggml_llava-v1.5-7b', model: 'ggml-model-q4_k.gguf', mmproj: 'mmproj-model-f16.gguf' },
    gigabytes: 4.7
  },
  {
    ...published('llava-v1.5-13b', 'LLaVA-v1.5-13B (Vicuna), Q4_K', 'llava_v1', vicuna),
    source: { repo: 'mys/ggml_llava-v1.5-13b', model: 'ggml-model-q4_k.gguf', mmproj: 'mmproj-model-f16.gguf' },
    gigabytes: 8.5
  }
]

function published(name: string, description: string, template: string, licence: string): Omit<ListedModel, 'source'> {
  return { name, description, model: `${name}.gguf`, mmproj: `${name}-mmproj.gguf`, shipped: false, template, licence }
}

function cjpais(name: string, model: string): HubSource {
  return { repo: `cjpais/${name}`, model, mmproj: 'mmproj-model-f16.gguf' }
}
