/** Where an addon comes from: the file that `VCAP_ADDON` names, a build of this clone, or a package by its name. */
export type Origin = 'VCAP_ADDON' | 'local build' | `@vcap-native/${string}`

/** A place that has an addon. */
export interface AddonPlace {
  origin: Origin
  file: string
  /** The level of x86-64 that it is for, `x86-64-v3`, where its package has one for each. */
  variant?: string
}

/** A place whose addon was not taken. */
export interface PassedOver {
  origin: Origin
  /** The file that does not load; undefined where there is none to load. */
  file?: string
  reason: string
  /** What would help; undefined where nothing has to. */
  remedy?: string
  /** There is nothing at all, which is as it should be where another place has an addon. */
  absent?: true
}
