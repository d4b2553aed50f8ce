/** What a model's tokens cost, in US dollars a million. */
export interface Price {
  /** Of the prompt, its pictures included. */
  input: number
  output: number
  /** How many times as many tokens its pictures have as by the rule of tiles, at most. */
  pictures?: number
}

/** When the prices were taken from the provider's page of prices. */
export const pricesTaken = '2026-06'

/** Standard prices by model; the Batch API's are half of them. Of a model with a date in its name, the name without. */
export const prices: Record<string, Price> = {
  'gpt-4.1': { input: 2, output: 8 },
  'gpt-4.1-mini': { input: 0.4, output: 1.6, pictures: 3 },
  'gpt-4.1-nano': { input: 0.1, output: 0.4, pictures: 4 },
  'gpt-4o': { input: 2.5, output: 10 },
  'gpt-4o-mini': { input: 0.15, output: 0.6, pictures: 34 },
  'gpt-4-turbo': { input: 10, output: 30 },
  'gpt-4-vision-preview': { input: 10, output: 30 },
  'gpt-5': { input: 1.25, output: 10 },
  'gpt-5.1': { input: 1.25, output: 10 },
  'gpt-5-mini': { input: 0.25, output: 2, pictures: 3 },
  'gpt-5-nano': { input: 0.05, output: 0.4, pictures: 4 },
  'gpt-5.4': { input: 2.5, output: 15 },
  o3: { input: 2, output: 8 },
  'o4-mini': { input: 1.1, output: 4.4, pictures: 3 }
}

/** Undefined for a model that is not in the list. */
export function priceOf(model: string): Price | undefined {
  const name = model.toLowerCase().replace(/-(\d{4}-\d{2}-\d{2}|\d{4}|latest)$/, '')
  return Object.hasOwn(prices, name) ? prices[name] : undefined
}
