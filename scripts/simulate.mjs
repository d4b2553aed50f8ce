/**
 * Whole runs on a simulated disk, each by a seed of its own, with all the troubles of a night. A failure says its seed,
 * by which alone it happens again.
 *
 *   npm run simulate -- [--seeds 10000] [--seed N]
 */
import { parseArgs } from 'node:util'
import { simulate } from '../test/helpers/simulation.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) }
  }
})
const [seeds, first] = [Number(values.seeds), Number(values.seed)]
console.log(`simulate: ${seeds} runs from seed ${first} on`)
const started = performance.now()
let failed = 0
for (let seed = first; seed < first + seeds && failed < 10; seed++) {
  try {
    await simulate(seed)
  } catch (error) {
    failed++
    console.error(`simulate: npm run simulate -- --seeds 1 --seed ${seed}\n${error.stack}`)
  }
  if ((seed - first + 1) % 1000 === 0) console.log(`simulate: ${seed - first + 1} runs`)
}
const seconds = (performance.now() - started) / 1000
console.log(
  `simulate: ${failed === 0 ? `${seeds} runs, each as promised` : `${failed} failures`}, ${seconds.toFixed(0)} s`
)
process.exit(failed === 0 ? 0 : 1)
