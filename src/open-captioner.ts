import type { RowCaptioner } from './caption'
import { findVideoTools } from './frames/tools'
import { loadCaptioner } from './load'
import { findModel } from './models'
import { loadAddon } from './native/load'
import type { LoadOptions, LoadSettings } from './options'

/*
 * Who captions the rows of a run. This is the one file that knows all who can.
 */

/** Finds at once what would be missing, before anything slow begins. Throws what `openCaptioner` would. */
export function requireCaptionerParts({ ffmpeg, model, mmproj }: LoadSettings): void {
  findVideoTools(ffmpeg)
  findModel(model, mmproj)
  loadAddon()
}

/**
 * Loads what these options ask for; those of captioning hold for every row. Closing it frees everything. Throws as
 * `loadCaptioner` does.
 */
export async function openCaptioner(options: LoadOptions): Promise<RowCaptioner> {
  const captioner = await loadCaptioner(options)
  return { ...captioner.rows(), close: () => captioner.close() }
}
