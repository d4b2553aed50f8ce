import crypto from 'node:crypto'

type Encoding = 'base64url' | 'hex'

/** The hash of a text, written out. Node has `crypto.hash` from 20.12 on: for a short text it takes a third as long. */
export const digestOf: (algorithm: 'sha1' | 'sha256', text: string, encoding: Encoding) => string =
  crypto.hash ?? ((algorithm, text, encoding) => crypto.createHash(algorithm).update(text).digest(encoding))
