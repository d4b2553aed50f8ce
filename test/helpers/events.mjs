import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { root } from './cli.mjs'

const published = JSON.parse(fs.readFileSync(path.join(root, 'docs', 'events.schema.json'), 'utf8'))
const event = z.fromJSONSchema(closed(published))

/** The schema with nothing allowed that it does not name: each field that a run tells must be documented. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]))
  return parts.properties && parts.type === 'object' ? { ...parts, additionalProperties: false } : parts
}

/** Whether it is an event as documented, and nothing else. */
export const isEvent = (value) => event.safeParse(value).success

/** The events of a run, each as documented: `begun` first, one end last. Returns their types, each once, in order. */
export function requireEvents(events) {
  for (const one of events) assert.ok(isEvent(one), `not as documented: ${JSON.stringify(one)}`)
  assert.equal(events[0].type, 'begun')
  const ends = events.flatMap(({ type }, i) => (type === 'finished' || type === 'stopped' ? [i] : []))
  assert.deepEqual(ends, [events.length - 1], 'one end, which is the last event')
  return [...new Set(events.map(({ type }) => type))]
}

/** What `--json` printed. */
export const parseEvents = (stderr) => stderr.trimEnd().split('\n').map(JSON.parse)
