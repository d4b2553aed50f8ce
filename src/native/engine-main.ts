/** The main program of an engine's process: answers its parent's requests with the addon and the model it loads. */
import { serve } from '../child-main'
import { VcapError } from '../errors'
import type { NativeModel } from './addon'
import type { EngineEvent, EngineRequest } from './engine-process'
import { finish } from './job'
import { loadAddon } from './load'

// The addon would wait for its threads, and they may wait for a server without end. Nothing here is worth that.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

let model: NativeModel | undefined

serve<EngineRequest, unknown, EngineEvent>(async (asked, signal, tell) => {
  if (asked.what === 'devices') {
    loadAddon().endWithParent() // while ggml connects, nothing else would tell
    return loadAddon().devices(asked.rpc)
  }
  if (asked.what === 'load') {
    const job = loadAddon().loadModel(asked.options, (fraction) => tell({ fraction }))
    model = await finish(job, signal)
    return model.info
  }
  if (!model) throw new VcapError('closed', 'No model is loaded in this process')
  if (asked.what === 'caption') return finish(model.caption(asked.request), signal)
  if (asked.what === 'embed') return finish(model.embed(asked.pictures, asked.detail, asked.pooling), signal)
  if (asked.what === 'time') return model.time()
  return model.close()
})
