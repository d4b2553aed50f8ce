/**
 * Loads language models with anything wrong in them and captions with those that load, in the core's test program:
 * node scripts/fuzz-models.mjs [--count N] [--seed S] [--first ROUND]. A crash or a hang prints its seed and round.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' }
  }
})
const { status } = spawnSync('node', [fileURLToPath(new URL('./test-core.mjs', import.meta.url)), 'models: '], {
  stdio: 'inherit',
  env: {
    ...process.env,
    VCAP_FUZZ_MODELS: values.count,
    VCAP_FUZZ_SEED: values.seed,
    VCAP_FUZZ_FIRST: values.first
  }
})
process.exit(status ?? 1)
