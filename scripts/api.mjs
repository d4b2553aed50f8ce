/**
 * Writes docs/api.md: a head (below), then what the docstrings of src/index.ts's exports say, by TypeDoc and its
 * Markdown plugin (typedoc.json). `--check` writes nothing and exits 1 where the page is not what the sources say.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Application,
  Converter,
  LiteralType,
  LogLevel,
  ReflectionGroup,
  ReflectionKind,
  ReflectionType,
  TSConfigReader,
  TypeDocReader,
  TypeScript as ts,
  UnionType
} from 'typedoc'
import { MarkdownTheme, MarkdownThemeContext } from 'typedoc-plugin-markdown'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = path.join(root, 'docs', 'api.md')

const head = `# Library

What \`vcap-native\` exports. This page is made from the docstrings in \`src/\` by \`npm run api\`.

\`\`\`js
import { loadCaptioner } from 'vcap-native' // or: const { loadCaptioner } = require('vcap-native')

const captioner = await loadCaptioner({ model: 'demo' })
const { text } = await captioner.caption('clip.mp4')
await captioner.close()
\`\`\`

Every function checks its options first and refuses unknown ones. What fails throws a [\`VcapError\`](#vcaperror):
branch on its \`code\`, which is stable, and show its \`message\`, which is not. A description that says "throws" names
these codes.

Whatever waits takes an \`AbortSignal\` as the option \`signal\`. When that is aborted the work stops, and the promise
rejects with the code \`aborted\`.

Frames and images are [\`Picture\`](#picture)s: RGB bytes in memory, without padding.
`

/** The plugin's pages without what a signature or a link says already. */
class Theme extends MarkdownTheme {
  getRenderContext(event) {
    const context = new MarkdownThemeContext(this, event, this.application.options)
    const { partials, helpers } = context
    const { propertiesTable, signature, signatureTitle, someType, typeDeclarationContainer } = partials
    Object.assign(partials, {
      accessor: ({ getSignature }) => signature(getSignature, { accessor: 'get', headingLevel: 5 }),
      hierarchy: ({ isTarget, types }) => {
        const parents = isTarget ? [] : types.filter(({ reflection }) => reflection)
        return parents.length === 0 ? '' : `All of ${parents.map((type) => someType(type)).join(', ')}, and:`
      },
      inheritance: () => '',
      propertiesTable: (properties, options) =>
        propertiesTable(
          properties.filter(({ inheritedFrom }) => !inheritedFrom?.reflection),
          options
        ),
      signatureReturns: () => '',
      // A line break follows a comma and its blank.
      signatureTitle: (...args) => signatureTitle(...args).replace(/ +$/gm, ''),
      typeDeclarationContainer: (model, ...args) =>
        model.kind === ReflectionKind.Variable ? '' : typeDeclarationContainer(model, ...args),
      typeDeclarationUnionContainer: ({ type: { types, elementSummaries = [] } }) =>
        types
          .map((type, i) => ({ type: someType(type).replace(/\s+/g, ' '), summary: elementSummaries[i] }))
          .filter(({ summary }) => summary?.length)
          .map(({ type, summary }) => `- ${type}: ${helpers.getCommentParts(summary)}`)
          .join('\n')
    })
    return context
  }
}

async function render() {
  const out = mkdtempSync(path.join(os.tmpdir(), 'vcap-api-'))
  try {
    const app = await Application.bootstrapWithPlugins({ options: root, out, logLevel: LogLevel.Error }, [
      new TypeDocReader(),
      new TSConfigReader()
    ])
    app.renderer.defineTheme('page', Theme)
    app.options.setValue('theme', 'page')
    app.converter.on(Converter.EVENT_CREATE_SIGNATURE, nameParameters)
    app.converter.on(Converter.EVENT_RESOLVE_BEGIN, nameTypes)
    const project = await app.convert()
    if (!project || app.logger.hasErrors()) throw new Error('TypeDoc could not read src/index.ts: its message is above')
    for (const { children } of project.groups ?? []) children.sort((a, b) => (a.name < b.name ? -1 : 1))
    await app.generateOutputs(project)
    if (app.logger.hasErrors()) throw new Error('TypeDoc could not write the page: its message is above')
    return checkLinks(`${head}\n${tidy(readFileSync(path.join(out, 'api.md'), 'utf8'))}`)
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

/*
 * A reader shall meet names that are exported and nothing that is not. TypeDoc asks the type checker, which forgets the
 * names of types that were computed, as zod's are, and tells how they were computed.
 */

/** A signature's parameters with the types that its source names. */
function nameParameters(context, signature, declaration) {
  signature.parameters?.forEach((parameter, i) => {
    const written = declaration?.parameters[i]?.type
    if (written) parameter.type = context.converter.convertType(context, written)
  })
}

/** Properties with the types that their source names; exported types that are computed, as what they come to. */
function nameTypes(context) {
  context.setActiveProgram(context.programs[0])
  for (const reflection of context.project.getReflectionsByKind(ReflectionKind.SomeMember | ReflectionKind.SomeType)) {
    const declaration = context.getSymbolFromReflection(reflection)?.declarations?.[0]
    if (!declaration) continue
    const written = declaration.type
    if (reflection.kind === ReflectionKind.Property && written && ts.isTypeReferenceNode(written)) {
      reflection.type = context.converter.convertType(context, written)
    } else if (reflection.kind === ReflectionKind.Interface && ts.isClassDeclaration(declaration)) {
      reflection.kind = ReflectionKind.Class // of which only the type is exported
    } else if (reflection.kind === ReflectionKind.TypeAlias) {
      const type = context.checker.getTypeAtLocation(declaration)
      if (ts.isTypeOperatorNode(written)) {
        // The keys in the order written; the checker has one of its own.
        const keys = context.checker.getTypeAtLocation(written.type).getProperties()
        reflection.type = new UnionType(keys.map(({ name }) => new LiteralType(name)))
      } else if (reflection.name.endsWith('Options')) {
        const expanded = context.converter.convertType(context.withScope(reflection), type)
        if (!(expanded instanceof ReflectionType)) continue
        const { children } = expanded.declaration
        reflection.type = undefined
        reflection.kind = ReflectionKind.Interface
        reflection.children = children
        for (const child of children) child.parent = reflection
        const group = new ReflectionGroup('Properties', reflection)
        group.children = children
        reflection.groups = [group]
      }
    }
  }
}

/** Markdown without what only a site needs. */
function tidy(text) {
  return `${text
    .replace(/<a id="[^"]*"><\/a> /g, '')
    .replace(/^\*\*\*\n\n/gm, '')
    .replace(/^#+ (Properties|Type Declaration|Union Members)\n\n?/gm, '')
    .replace(/^#### Constructors\n\n##### Constructor\n/gm, '#### Constructor\n')
    .replace(/\| -(?= \|)/g, '| ')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`
}

/** Throws where a link leads nowhere on the page. */
function checkLinks(text) {
  const seen = new Map()
  const anchors = new Set()
  for (const [, title] of text.matchAll(/^#+ (.*)$/gm)) {
    const slug = title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replace(/ /g, '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    anchors.add(times ? `${slug}-${times}` : slug)
  }
  for (const [link, anchor] of text.matchAll(/\]\(#([^)]*)\)/g)) {
    if (!anchors.has(anchor)) throw new Error(`no heading for the link ${link.slice(1)}`)
  }
  return text
}

try {
  const text = await render()
  if (!process.argv.includes('--check')) writeFileSync(page, text)
  else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
    throw new Error('docs/api.md is not what the sources say: npm run api writes it')
  }
} catch (error) {
  console.error(`api: ${error.message}`)
  process.exitCode = 1
}
