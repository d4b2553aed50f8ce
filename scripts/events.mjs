/**
 * Writes docs/events.md and docs/events.schema.json: what the type RunEvent and the docstrings of src/run/events.ts and
 * src/caption.ts say. `--check` writes nothing and exits 1 where a page is not what the sources say.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = path.join(root, 'src', 'run', 'events.ts')

const head = (version) => `# Events

\`vcap-native run --json\` prints one JSON object a line on stderr, and the library's option \`onEvent\` gets the same
objects. This is version ${version} of them; \`events.schema.json\` is their JSON Schema. Both are made from the
docstrings of \`src/run/events.ts\` by \`npm run api\`.

    {"type":"begun","version":${version},"package":"0.1.0","input":"samples.csv","output":"captions.csv"}
    {"type":"started","input":"samples.csv","output":"/data/captions.csv","captioner":{"name":"vcap demo", …}}
    {"type":"total","rows":2}
    {"type":"row","index":1,"path":"gone.mp4","status":"missing","text":"","numFrames":null,"error":"No such file", …}
    {"type":"row","index":0,"path":"a.mp4","status":"ok","text":"A red circle …","numFrames":71,"error":null, …}
    {"type":"finished","input":"samples.csv","output":"/data/captions.csv","rows":2,"statuses":{"ok":1,"missing":1}, …}

- The first event is \`begun\`, the last \`finished\` or \`stopped\`; a process that is killed tells neither.
- New events and new fields may come in any release: skip what you do not know. A field that goes away, or comes to
  mean something else, raises \`version\`.
- Times are seconds, shares lie between 0 and 1. \`null\` is what is not known or not there; a field marked "may be left
  out" need not be in the object.
- A row is told when its record is on the disk: who counts \`row\` events counts what a crash cannot take back.
- A command line that is wrong in itself is told in words, before the first event.
- Lines are no part of the result: when nobody reads them the run goes on (\`docs/running.md\`).
`

const config = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile).config
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
const program = ts.createProgram([source], options)
const checker = program.getTypeChecker()
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(source)))
const typeNamed = (name) => checker.getDeclaredTypeOfSymbol(exported.find((symbol) => symbol.name === name))
const docOf = (symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).replace(/\s+/g, ' ').trim()

/** The events in the order written. */
const events = program
  .getSourceFile(source)
  .statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === 'RunEvent')
  .type.types.map((node) => checker.getTypeFromTypeNode(node))
const typeOf = (property) => checker.getTypeOfSymbol(property)
const nameOf = (event) => typeOf(event.getProperty('type')).value
const isOptional = (symbol) => (symbol.flags & ts.SymbolFlags.Optional) !== 0
const version = versionWritten()

function versionWritten() {
  const symbol = exported.find(({ name }) => name === 'eventsVersion')
  return checker.getTypeOfSymbol(symbol).value
}

/** Members of a union without `undefined`, which a field that may be left out has. */
function members(type) {
  const all = type.isUnion() ? type.types : [type]
  return all.filter(({ flags }) => (flags & ts.TypeFlags.Undefined) === 0)
}

function schemaOf(type) {
  const parts = members(type)
  const literals = parts.filter((part) => part.isStringLiteral())
  const isBoolean = ({ flags }) => (flags & ts.TypeFlags.BooleanLiteral) !== 0
  const others = parts.filter((part) => !part.isStringLiteral() && !isBoolean(part))
  const schemas = others.map(schemaOfOne)
  if (literals.length === 1) schemas.push({ const: literals[0].value })
  if (literals.length > 1) schemas.push({ enum: literals.map(({ value }) => value).sort() })
  const booleans = parts.filter(isBoolean)
  if (booleans.length === 2) schemas.push({ type: 'boolean' })
  if (booleans.length === 1) schemas.push({ const: checker.typeToString(booleans[0]) === 'true' })
  return schemas.length === 1 ? schemas[0] : { anyOf: schemas }
}

function schemaOfOne(type) {
  if (type.flags & ts.TypeFlags.Null) return { type: 'null' }
  if (type.flags & ts.TypeFlags.String) return { type: 'string' }
  if (type.flags & ts.TypeFlags.Number) return { type: 'number' }
  if (checker.isArrayType(type)) return { type: 'array', items: schemaOf(checker.getTypeArguments(type)[0]) }
  const values = checker.getIndexTypeOfType(type, ts.IndexKind.String)
  if (values) return { type: 'object', additionalProperties: schemaOf(values) }
  if (type.flags & ts.TypeFlags.Object) return objectSchema(type)
  throw new Error(`${checker.typeToString(type)} has no JSON Schema here`)
}

function objectSchema(type) {
  const properties = checker.getPropertiesOfType(type)
  return {
    type: 'object',
    properties: Object.fromEntries(
      properties.map((property) => {
        const description = docOf(property)
        return [property.name, { ...(description && { description }), ...schemaOf(typeOf(property)) }]
      })
    ),
    required: properties.filter((property) => !isOptional(property)).map(({ name }) => name)
  }
}

/** The kind of a field for people; of objects, their fields are listed below it. */
function kindOf(schema) {
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(' or ')
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(', ')
  if (schema.type === 'array') return `array of ${kindOf(schema.items)}`
  if (schema.type === 'object' && schema.additionalProperties) return `object of ${kindOf(schema.additionalProperties)}`
  return schema.type
}

/** Rows of the table of a schema's fields, those of objects within it by their path. */
function fieldRows({ properties, required }, prefix = '') {
  return Object.entries(properties).flatMap(([name, schema]) => {
    if (prefix === '' && name === 'type') return []
    const inner = [schema, ...(schema.anyOf ?? [])].find((one) => one.properties)
    const leftOut = required.includes(name) ? '' : 'May be left out. '
    const what = `${leftOut}${schema.description ?? ''}`.trim()
    const row = `| \`${prefix}${name}\` | ${kindOf(schema)} | ${what} |`
    return [row, ...(inner ? fieldRows(inner, `${prefix}${name}.`) : [])]
  })
}

function section(event) {
  const rows = fieldRows(objectSchema(event))
  return [
    `## ${nameOf(event)}`,
    docOf(event.symbol),
    ['| field | JSON | what |', '|---|---|---|', ...rows].join('\n')
  ].join('\n\n')
}

const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: `Events of vcap-native, version ${version}`,
  description: docOf(typeNamed('RunEvent').aliasSymbol),
  anyOf: events.map((event) => ({ description: docOf(event.symbol), ...objectSchema(event) }))
}
const pages = {
  'events.md': `${[head(version).trimEnd(), ...events.map(section)].join('\n\n')}\n`,
  'events.schema.json': `${JSON.stringify(schema, null, 2)}\n`
}
for (const [name, text] of Object.entries(pages)) {
  const file = path.join(root, 'docs', name)
  if (!process.argv.includes('--check')) writeFileSync(file, text)
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    console.error(`events: docs/${name} is not what the sources say: npm run api writes it`)
    process.exitCode = 1
  }
}
