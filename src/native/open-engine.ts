import { loadAddon } from './load'
import type { EngineHost } from './engine-host'
import { EngineProcess } from './engine-process'
import { finish } from './job'

/**
 * This process, or one of its own where RPC servers (`host:port`) are to compute: ggml ends the process that loses such
 * a server, or waits for one without end. Rejects with `device_unavailable`, `engine_lost` and `aborted`.
 */
export async function openEngineHost(rpc: string[], signal: AbortSignal | undefined): Promise<EngineHost> {
  const addon = loadAddon()
  if (rpc.length > 0 && addon.build.rpcProtocol) return EngineProcess.open(rpc, addon.build.rpcProtocol, signal)
  return {
    devices: addon.devices(rpc), // a build without RPC says so here
    load: (options, onProgress, loadSignal) => finish(addon.loadModel(options, onProgress), loadSignal),
    end: () => undefined
  }
}
