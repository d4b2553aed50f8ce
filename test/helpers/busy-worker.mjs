/** A worker thread that keeps native work of one kind under way until it is ended. */
import { parentPort, workerData } from 'node:worker_threads'
import { loadCaptioner } from '../../dist/index.js'
import { loadAddon } from '../../dist/native/load.js'

const { what, options, image } = workerData

/** Calls `work` again and again, whatever becomes of it, on so many lines at once. */
function keepBusy(lines, work) {
  const again = () => work().then(again, again)
  for (let i = 0; i < lines; i++) again()
}

const load = async () => (await loadCaptioner(options)).close()
if (what === 'loads') {
  keepBusy(2, load)
} else {
  const captioner = await loadCaptioner(options)
  const caption = () => captioner.captionImages([image], { maxTokens: 2 })
  const abort = () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), Math.random() * 5)
    return captioner.captionImages([image], { maxTokens: 50, signal: controller.signal })
  }
  const features = () => captioner.embedImages([image])
  const resample = () => loadAddon().resample(image.data, image.width, image.height, 32, 24)
  keepBusy(12, { captions: caption, aborts: abort, features, resamples: resample }[what])
}
parentPort.postMessage('under way')
