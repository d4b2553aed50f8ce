import { loadAddon } from './load'
import type { EngineHost } from './engine-host'
import { EngineProcess } from './engine-process'
import { finish } from './job'
import { probeRpcServers } from './rpc-probe'

/**
 * This process, or one of its own where RPC servers (`host:port`) are to compute: ggml ends the process that loses such
 * a server, or waits for one without end. Rejects with `device_unavailable`, `engine_lost` and `aborted`.
 */
export async function openEngineHost(rpc: string[], signal: AbortSignal | undefined): Promise<EngineHost> {
  const { rpcProtocol } = loadAddon().build
  return rpc.length > 0 && rpcProtocol ? EngineProcess.open(rpc, rpcProtocol, signal) : engineHere(rpc)
}

/** The same in a process that may be ended by its engine, as a replica's: never one of its own. */
export async function openEngineHere(rpc: string[], signal: AbortSignal | undefined): Promise<EngineHost> {
  const { rpcProtocol } = loadAddon().build
  if (rpcProtocol) await probeRpcServers(rpc, rpcProtocol, signal)
  return engineHere(rpc)
}

function engineHere(rpc: string[]): EngineHost {
  const addon = loadAddon()
  return {
    devices: addon.devices(rpc), // a build without RPC says so here
    load: (options, onProgress, loadSignal) => finish(addon.loadModel(options, onProgress), loadSignal),
    end: () => undefined
  }
}
