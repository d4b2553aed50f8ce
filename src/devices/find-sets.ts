import { findModel } from '../models/find'
import { loadAddon } from '../native/load'
import type { LoadSettings } from '../options'
import { contextOf, type ContextSettings } from './context'
import { findDevices } from './find'
import { modelNeeds } from './memory'
import { chooseDeviceSets, type DeviceSet, type SetWishes } from './sets'

type Settings = Pick<LoadSettings, 'model' | 'mmproj' | 'rpc' | 'kvType' | 'sequences' | 'signal'> &
  ContextSettings &
  SetWishes

/**
 * The devices of each replica that these settings ask for, of those that there are. Rejects with `usage`,
 * `model_not_found`, `model_invalid`, `model_mismatch`, `device_unavailable`, `aborted`.
 */
export async function findDeviceSets(settings: Settings): Promise<DeviceSet[]> {
  const addon = loadAddon()
  const files = findModel(settings.model, settings.mmproj)
  const facts = addon.inspect(files.model, files.mmproj, settings.chatTemplate)
  const contextPerSequence = contextOf(addon, files, facts, settings)
  const needs = modelNeeds(facts, { ...settings, contextPerSequence })
  return chooseDeviceSets(addon.build, await findDevices(settings.rpc, settings.signal), settings, needs)
}
