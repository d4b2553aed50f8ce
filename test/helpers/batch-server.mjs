/** The files and batches of the test server: a batch is worked on at its first look, and done at its second. */
import { refuse } from './api-server.mjs'

/**
 * `outcome(body, number, batch)` says what becomes of a request, the `number`-th of all: undefined for a caption,
 * `{ json }` for another answer, `{ status, error }`, or `'expired'`. `endAs(batch)` says how a batch ends: `completed`
 * unless it says otherwise, or an object with `status` and `errors`. `looks`: how often it is looked at until it has
 * ended. `onCall(name, when)` is told of each call, `before` it is done and `after`; what it returns is answered.
 */
export function batchApi({ outcome = () => undefined, endAs = () => 'completed', looks = 2, onCall } = {}) {
  const files = new Map()
  const batches = new Map()
  let made = 0
  let requests = 0
  const addFile = (filename, purpose, bytes) => {
    const file = { id: `file-${++made}`, object: 'file', bytes: bytes.length, created_at: made, filename, purpose }
    files.set(file.id, { file, bytes })
    return file
  }

  function work(batch, caption) {
    const ending = endAs(batch)
    const { status, errors = null } = typeof ending === 'string' ? { status: ending } : ending
    batch.status = status
    batch.errors = errors
    if (status === 'failed') return
    const lines = { output: [], error: [] }
    const inputs = files
      .get(batch.input_file_id)
      .bytes.toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const { custom_id, body } of inputs) {
      const said = outcome(body, requests++, batch)
      if (said === 'expired') {
        lines.error.push({ custom_id, response: null, error: { code: `batch_${status}`, message: 'Not in time' } })
      } else if (said === undefined || said.json) {
        lines.output.push({ custom_id, response: { status_code: 200, body: said?.json ?? caption(body) }, error: null })
      } else {
        lines.error.push({
          custom_id,
          response: { status_code: said.status, body: { error: said.error } },
          error: null
        })
      }
    }
    // In any order.
    const write = (all) =>
      Buffer.from(
        all
          .reverse()
          .map((line) => `${JSON.stringify({ id: 'x', ...line })}\n`)
          .join('')
      )
    if (lines.output.length > 0) batch.output_file_id = addFile('out.jsonl', 'batch_output', write(lines.output)).id
    if (lines.error.length > 0) batch.error_file_id = addFile('err.jsonl', 'batch_output', write(lines.error)).id
    batch.request_counts = { total: inputs.length, completed: lines.output.length, failed: lines.error.length }
  }

  const calls = {
    'POST /v1/files': (request, _url, body) => {
      const boundary = /boundary=(.+)$/.exec(request.headers['content-type'])[1]
      const parts = body.toString('latin1').split(`--${boundary}`)
      const value = (name) => parts.find((part) => part.includes(`name="${name}"`))
      const content = (part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2)
      const file = value('file')
      return addFile(/filename="(.+?)"/.exec(file)[1], content(value('purpose')), Buffer.from(content(file), 'latin1'))
    },
    'GET /v1/files': () => ({ object: 'list', data: [...files.values()].map(({ file }) => file), has_more: false }),
    'POST /v1/batches': (_request, _url, body) => {
      const { input_file_id, endpoint, completion_window, metadata } = JSON.parse(body)
      if (!files.has(input_file_id)) return refuse(400, 'no such file')
      const batch = {
        ...{ id: `batch_${++made}`, object: 'batch', endpoint, completion_window, metadata, input_file_id },
        ...{ status: 'validating', created_at: made, request_counts: { total: 0, completed: 0, failed: 0 } }
      }
      batches.set(batch.id, { batch, looked: 0 })
      return batch
    },
    'GET /v1/batches': () => ({
      object: 'list',
      data: [...batches.values()].map(({ batch }) => batch).reverse(),
      has_more: false
    }),
    'GET /v1/batches/:id': (_request, _url, _body, caption, id) => {
      const entry = batches.get(id)
      if (!entry) return refuse(404, `No batch ${id}`)
      entry.looked++
      if (entry.looked === looks) work(entry.batch, caption)
      else if (entry.looked < looks) entry.batch.status = 'in_progress'
      return entry.batch
    },
    'GET /v1/files/:id/content': (_request, _url, _body, _caption, id) => ({ text: files.get(id).bytes.toString() }),
    'DELETE /v1/files/:id': (_request, _url, _body, _caption, id) => ({ id, deleted: files.delete(id) })
  }

  return {
    files,
    batches,
    async answer(request, url, body, caption) {
      const id = /^\/v1\/(?:files|batches)\/([^/]+)/.exec(url.pathname)?.[1]
      const name = `${request.method} ${id ? url.pathname.replace(id, ':id') : url.pathname}`
      const call = calls[name]
      if (!call) return undefined
      const early = await onCall?.(name, 'before')
      if (early) return early
      const said = call(request, url, body, caption, id)
      const late = await onCall?.(name, 'after')
      return late ?? (said.status >= 400 || said.text !== undefined ? said : { json: said })
    }
  }
}
