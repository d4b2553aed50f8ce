/** Who may use whom, in TypeScript and in C++: no circles, nothing reaches upward. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'
import { root } from '../helpers/cli.mjs'

/** Layers of src/, the lowest first: a file imports from its own layer and those before it. `x/` is a whole folder. */
const layers = [
  ['errors', 'digest', 'parse-json', 'package', 'standard-streams', 'folders', 'sharp', 'cpus'],
  ['shard', 'launcher'],
  ['form/'],
  ['picture', 'prompts/', 'table-format', 'options/', 'caption', 'row-captions', 'caption-check', 'download-event'],
  ['checks/'],
  ['semaphore', 'ordered', 'pool', 'occupancy', 'waiting', 'proxy'],
  ['child', 'child-main'],
  ['rows/'],
  ['native/'],
  ['models/', 'devices/', 'scale', 'pooling'],
  ['plan'],
  ['frames/'],
  ['samples/'],
  ['identity'],
  ['api/'],
  ['captioner'],
  ['load'],
  ['replicas/'],
  ['open-captioner'],
  ['run/'],
  ['export/'],
  ['tables/'],
  ['demo/'],
  ['bench'],
  ['index'],
  ['cli/']
]

/** Includes of native/ that must not be: from files that match the first to files that match the second. */
const forbiddenIncludes = [
  ['kernels know nothing of models', /^kernels\//, /^(core|binding|cuda)\//],
  ["CUDA's libraries know nothing of models", /^cuda\//, /^(core|binding|kernels)\//],
  ['the core knows nothing of JavaScript', /^core\//, /^binding\//],
  ['what tells the processor stands alone', /^cpu_level\//, /^(kernels|core|binding)\//],
  ['the core knows nothing of JavaScript', /^(core|kernels)\//, /^(napi|node_api|node|v8|uv)\b/],
  ['the halves of a model know nothing of the engine', /^core\/(vision|language)\//, /^core\/engine\//],
  ['the two halves of a model know nothing of each other', /^core\/vision\//, /^core\/language\//],
  ['the two halves of a model know nothing of each other', /^core\/language\//, /^core\/vision\//],
  ['what a vision tower is depends on none of them', /^core\/vision\/[^/]+\.h$/, /^core\/vision\/llava\//]
]

const filesUnder = (folder, ending) =>
  fs
    .readdirSync(folder, { recursive: true })
    .filter((name) => ending.test(name) && !name.endsWith('.d.ts'))
    .sort()

/** From each file of src/, without its ending, to those it imports, for types alone as well. */
function imports() {
  const src = path.join(root, 'src')
  return Object.fromEntries(
    filesUnder(src, /\.ts$/).map((file) => {
      const { importedFiles } = ts.preProcessFile(fs.readFileSync(path.join(src, file), 'utf8'), true, true)
      // The compiler finds data, which is in no layer.
      const own = importedFiles.map(({ fileName }) => fileName).filter((name) => /^\..*(?<!\.json)$/.test(name))
      const places = own.map((name) => path.join(path.dirname(file), name))
      const isFolder = (place) => fs.existsSync(path.join(src, place, 'index.ts'))
      return [file.replace(/\.ts$/, ''), places.map((place) => (isFolder(place) ? path.join(place, 'index') : place))]
    })
  )
}

/** From each file of native/ to what it includes, as written. */
function includes() {
  const native = path.join(root, 'native')
  return Object.fromEntries(
    filesUnder(native, /\.(c|cpp|h)$/).map((file) => {
      const text = fs.readFileSync(path.join(native, file), 'utf8')
      return [file, [...text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)].map(([, name]) => name)]
    })
  )
}

/** The circles of a graph, each as the way round; names outside the graph lead nowhere. */
function circles(graph) {
  const found = []
  const done = new Set()
  const way = []
  const visit = (name) => {
    if (way.includes(name)) return void found.push([...way.slice(way.indexOf(name)), name].join(' > '))
    if (done.has(name)) return
    way.push(name)
    for (const next of graph[name] ?? []) visit(next)
    way.pop()
    done.add(name)
  }
  Object.keys(graph).forEach(visit)
  return found
}

const belongs = (file, entry) => (entry.endsWith('/') ? file.startsWith(entry) : file === entry)
const layerOf = (file) => layers.findIndex((layer) => layer.some((entry) => belongs(file, entry)))

function upward(graph) {
  return Object.entries(graph).flatMap(([file, imported]) =>
    imported.filter((other) => layerOf(other) > layerOf(file)).map((other) => `${file} > ${other}`)
  )
}

function forbidden(graph) {
  return Object.entries(graph).flatMap(([file, included]) =>
    forbiddenIncludes.flatMap(([rule, from, to]) =>
      from.test(file) ? included.filter((name) => to.test(name)).map((name) => `${rule}: ${file} > ${name}`) : []
    )
  )
}

test('the checks find what they are for', () => {
  assert.deepEqual(circles({ a: ['b'], b: ['c', 'x'], c: ['a'], d: ['a', 'd'] }), ['a > b > c > a', 'd > d'])
  assert.deepEqual(circles({ a: ['b', 'c'], b: ['c'], c: [] }), [])
  assert.deepEqual(upward({ errors: ['load'], 'rows/csv': ['errors', 'rows/rows', 'captioner'], index: ['bench'] }), [
    'errors > load',
    'rows/csv > captioner'
  ])
  const found = forbidden({
    'kernels/gelu.cpp': ['kernels/gelu.h', 'core/error.h'],
    'core/log.h': ['napi.h', 'binding/to_js.h', 'vector'],
    'core/vision/llava/cut.cpp': ['core/engine/job.h', 'core/vision/llava/cut.h'],
    'core/vision/vision.h': ['core/vision/llava/tower.h'],
    'core/vision/open.cpp': ['core/vision/llava/tower.h'],
    'core/language/tokenizer.h': ['core/vision/picture.h'],
    'binding/model.h': ['core/engine/engine.h', 'napi.h']
  })
  assert.deepEqual(
    found.map((line) => line.split(': ')[1]),
    [
      'kernels/gelu.cpp > core/error.h',
      'core/log.h > binding/to_js.h',
      'core/log.h > napi.h',
      'core/vision/llava/cut.cpp > core/engine/job.h',
      'core/vision/vision.h > core/vision/llava/tower.h',
      'core/language/tokenizer.h > core/vision/picture.h'
    ]
  )
})

test('src: every file is in one layer, every import leads to a file, and no entry is stale', () => {
  const graph = imports()
  const files = Object.keys(graph)
  assert.ok(files.length > 50 && graph['run/run'].includes('rows/open') && graph.captioner.includes('frames/decoder'))
  for (const file of files) {
    const entries = layers.flat().filter((entry) => belongs(file, entry))
    assert.equal(entries.length, 1, `src/${file}.ts stands in ${entries.length} layers`)
    for (const other of graph[file]) assert.ok(other in graph, `src/${file}.ts imports ${other}`)
  }
  for (const entry of layers.flat())
    assert.ok(
      files.some((file) => belongs(file, entry)),
      `no file for ${entry}`
    )
})

test('src: no circles, imports of types included', () => {
  assert.deepEqual(circles(imports()), [])
})

test('src: no layer imports from one above it', () => {
  assert.deepEqual(upward(imports()), [])
})

test('src: rows and runs know no model: open-captioner alone does', () => {
  const graph = imports()
  const models = /^(api\/|captioner|load|models|native\/|frames\/|replicas\/)/
  for (const [file, imported] of Object.entries(graph)) {
    if (!/^(rows|run)\//.test(file)) continue
    assert.deepEqual(
      imported.filter((name) => models.test(name)),
      [],
      file
    )
  }
})

test('native: includes lead to files of native/ by their whole path, or to libraries', () => {
  const graph = includes()
  assert.ok(graph['core/engine/engine.cpp'].includes('core/engine/engine.h'))
  for (const [file, included] of Object.entries(graph)) {
    for (const name of included) {
      const own = /^(binding|core|cuda|kernels)\//.test(name)
      assert.equal(own, name in graph, `native/${file} includes ${name}`)
      assert.ok(!name.startsWith('.'), `native/${file} includes ${name}`)
    }
  }
})

test('native: no circles, and nothing is included that must not be', () => {
  const graph = includes()
  assert.deepEqual(circles(graph), [])
  assert.deepEqual(forbidden(graph), [])
  for (const [rule, from] of forbiddenIncludes)
    assert.ok(
      Object.keys(graph).some((file) => from.test(file)),
      rule
    )
})
