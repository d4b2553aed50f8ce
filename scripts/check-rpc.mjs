/**
 * Several devices, where there is no GPU: ggml RPC servers on this machine, each of which is a device. One model on
 * two of them, split by layers and by tensors; two models on four; and a server that is killed in the midst. The output
 * must be that of one device, to the byte.
 *
 *   npm run check:rpc -- [--clips 100]
 */
import { parseArgs } from 'node:util'
import { rpcClips, rpcRun, rpcRuns } from '../test/helpers/rpc-runs.mjs'

const { values } = parseArgs({ options: { clips: { type: 'string', default: '100' } } })
const made = await rpcClips(Number(values.clips))
for (const one of rpcRuns) {
  const started = performance.now()
  const rows = await rpcRun(one, made)
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  console.log(`${one.name}: ${values.clips} captions as on one device, by replica ${rows.join(' + ')}, in ${seconds} s`)
}
