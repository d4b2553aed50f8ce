/**
 * Builds native/core and its tests under AddressSanitizer and UndefinedBehaviorSanitizer, all of llama.cpp with it, and
 * runs them. Arguments go to the test program: part of a name.
 */
import { buildSanitized, runOrExit, sanitizerSettings } from './sanitized.mjs'

runOrExit(buildSanitized('vcap_core_test'), process.argv.slice(2), sanitizerSettings)
