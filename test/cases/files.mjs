/**
 * Every file that a row may name: how it is made and what becomes of the row. A case has `group`, `name`, `file` and
 * `make(file)`; then `frames`, the video's length where it is captioned ('some' where that hangs on the damage), or the
 * row's `status` and what its reason `says`, where … stands for anything. `path` is what the table says where that is
 * not the file's name; `encoder` is needed to make it; `skip()` says why it cannot be tried here.
 */
import { codecCases } from './codecs.mjs'
import { imageCases } from './images.mjs'
import { pathCases } from './paths.mjs'
import { videoCases } from './videos.mjs'

/** Folders keep the files of one source from those of another; names of every kind lie beside the table. */
const inFolder = (folder, cases) => cases.map((one) => ({ ...one, file: `${folder}/${one.file}` }))

export const fileCases = [
  ...inFolder('codecs', codecCases),
  ...inFolder('videos', videoCases),
  ...inFolder('images', imageCases),
  ...pathCases
]
