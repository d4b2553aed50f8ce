import { whyNoLibrary } from './library-file'

/** Loads a file as an addon of Node, or says why it does not load, in words that follow its name and a colon. */
export function openLibrary<Exports>(file: string): { exports: Exports } | { reason: string } {
  if (!file.endsWith('.node')) return { reason: 'its name does not end in .node, by which Node knows an addon' }
  const unfit = whyNoLibrary(file)
  if (unfit !== undefined) return { reason: unfit }
  try {
    return { exports: require(file) as Exports }
  } catch (error) {
    const [words = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { reason: words.replace(`${file}: `, '').replace(`: '${file}'.`, '') }
  }
}
