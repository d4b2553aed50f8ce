import { findModel } from '../models/find'
import { loadAddon } from '../native/load'
import type { LoadSettings } from '../options'
import { findDevices } from './find'
import { modelNeeds } from './memory'
import { chooseDeviceSets, type DeviceSet, type SetWishes } from './sets'

type Settings = Pick<
  LoadSettings,
  'model' | 'mmproj' | 'chatTemplate' | 'rpc' | 'kvType' | 'contextPerSequence' | 'sequences' | 'signal'
> &
  SetWishes

/**
 * The devices of each replica that these settings ask for, of those that there are. Rejects with `usage`,
 * `model_not_found`, `model_invalid`, `model_mismatch`, `device_unavailable`, `aborted`.
 */
export async function findDeviceSets(settings: Settings): Promise<DeviceSet[]> {
  const addon = loadAddon()
  const { model, mmproj } = findModel(settings.model, settings.mmproj)
  const needs = modelNeeds(addon.inspect(model, mmproj, settings.chatTemplate), settings)
  return chooseDeviceSets(addon.build, await findDevices(settings.rpc, settings.signal), settings, needs)
}
