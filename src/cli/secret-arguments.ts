/** The flag whose value nobody else may see. */
const flag = '--key'

/** Characters of a key that is looked for in messages: a shorter one is part of any text. */
const leastHidden = 4

/** Commands that have a flag of this name for columns, which are no secret. */
const withoutSecret = ['diff', 'join']

/** The key of a command line, as `--key X` or `--key=X`; undefined where there is none. */
export function keyArgument(args: string[]): string | undefined {
  const at = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`))
  if (at < 0) return undefined
  return args[at] === flag ? args[at + 1] : args[at]!.slice(flag.length + 1)
}

/**
 * Hides a key that stands on the command line: the list of processes shows the title from now on, and no message of
 * ours repeats it.
 */
export function hideKeyArgument(args: string[]): (text: string) => string {
  const key = withoutSecret.includes(args[2] ?? '') ? undefined : keyArgument(args)
  if (!key) return (text) => text
  process.title = 'vcap-native'
  if (key.length < leastHidden) return (text) => text
  return (text) => text.replaceAll(key, '[key]')
}
