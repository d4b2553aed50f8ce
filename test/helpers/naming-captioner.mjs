import path from 'node:path'
import { nullCaptioner } from './null-captioner.mjs'

/** Captions each row by its file's name; a file named bad… is missing. */
export function namingCaptioner() {
  const captioner = nullCaptioner(4)
  const answer = captioner.captionRow
  captioner.captionRow = async ({ path: file }) => {
    const name = path.basename(file)
    const caption = { ...(await answer()), text: `A film of ${name}.` }
    return name.startsWith('bad') ? { ...caption, status: 'missing', text: '', error: 'No such file' } : caption
  }
  return captioner
}
