/*
 * Every option of the library and the command, checked once and completed here. A
 * field's description is the noun phrase of its error: "Expected <description> for …".
 */
export * from './api'
export * from './captioning'
export * from './commands'
export { chatTemplates } from './fields'
export * from './plan'
export * from './run'
export * from './tables'
