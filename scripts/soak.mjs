/**
 * A long life of the core and of the addon: both under AddressSanitizer, UBSan and a leak check through 1,000 captions
 * and 100 models loaded and closed, the addon in Node; then the addon as it is through 200, where the memory of the
 * second hundred must end within 2 % of the first's: the least of the last cycles of each. Among them are captions
 * given up in the middle, refused pictures, files that cannot be loaded, and worker threads.
 *
 *   npm run soak -- [--captions 1000] [--cycles 100] [--no-core] [--no-sanitizers]
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { floorOf, soakAddon } from '../test/helpers/soak-addon.mjs'
import { addonSettings, buildSanitized } from './sanitized.mjs'

const { values } = parseArgs({
  options: {
    captions: { type: 'string', default: '1000' },
    cycles: { type: 'string', default: '100' },
    'no-core': { type: 'boolean', default: false },
    'no-sanitizers': { type: 'boolean', default: false }
  }
})
const core = fileURLToPath(new URL('test-core.mjs', import.meta.url))
const mostGrowth = 0.02

if (!values['no-core'] && !values['no-sanitizers']) {
  const env = { ...process.env, VCAP_SOAK_CAPTIONS: values.captions, VCAP_SOAK_CYCLES: values.cycles }
  const { status } = spawnSync(process.execPath, [core, 'soak'], { stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
  console.log(`soak: ${values.captions} captions and ${values.cycles} models in the core, nothing leaked`)
}

const half = Number(values.cycles)
const captions = Math.ceil(Number(values.captions) / half)
if (!values['no-sanitizers']) {
  // Ends with an error where a sanitizer finds a fault.
  await soakAddon({ cycles: half, captions, settings: addonSettings(buildSanitized('vcap_native')) })
  console.log(`soak: ${captions * half} captions and ${half} models in the addon, nothing leaked`)
}
const memory = await soakAddon({ cycles: 2 * half, captions })
const last = Math.ceil(half / 5)
const [first, second] = [floorOf(memory.slice(half - last, half)), floorOf(memory.slice(-last))]
const growth = second / first - 1
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
console.log(
  `soak: ${path.basename(process.execPath)} holds ${megabytes(first)} after ${half} models and ` +
    `${megabytes(second)} after ${2 * half}: ${(growth * 100).toFixed(2)} % more`
)
process.exitCode = growth <= mostGrowth ? 0 : 1
