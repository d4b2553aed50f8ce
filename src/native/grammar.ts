import { asVcapError } from '../errors'
import { grammarOf, type FormSettings } from '../form/form'
import { loadAddon } from './load'

/** Throws `usage` where the addon cannot hold answers to their form, and `addon_missing`. */
export function requireGrammar(settings: FormSettings): void {
  const addon = loadAddon()
  const grammar = grammarOf(settings)
  if (grammar === '') return
  try {
    addon.checkGrammar(grammar)
  } catch (error) {
    throw asVcapError(error)
  }
}
