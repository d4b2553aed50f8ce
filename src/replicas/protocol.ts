import type { CaptionerInfo, EngineTime, RowCaption, RowInput } from '../caption'
import type { DeviceSet } from '../devices/sets'
import type { LoadOptions } from '../options'
import type { CpuShare } from './cpu-share'

/*
 * What passes between a run's process and a replica's. Only paths go there and only captions come back: each replica
 * decodes its own frames.
 */

/** Asked of a replica's process: to load, once, and then for captions. */
export type ReplicaRequest = { what: 'load'; load: ReplicaLoad } | { what: 'caption'; row: RowInput }

/** What a replica loads, as plain data. */
export interface ReplicaLoad {
  options: Omit<LoadOptions, 'signal' | 'onProgress' | 'onDownload'>
  /** Its devices. */
  set: DeviceSet
  share: CpuShare
  /** Replicas that share the memory of these devices. */
  replicas: number
}

export type ReplicaAnswer = ReplicaInfo | RowCaption

/** What a replica that has loaded tells of itself. */
export interface ReplicaInfo {
  captioner: CaptionerInfo
  /**
   * Rows to hand it at once: those that it works on, and as many waiting as its engine may finish together, so that
   * nothing there waits for the coordinator.
   */
  places: number
}

/**
 * Told meanwhile: the share of the model that is loaded; that it lives, the bytes that are its own, and what its engine
 * has done, once there is one.
 */
export type ReplicaEvent = { fraction: number } | { memory: number; time: EngineTime | undefined }

/** Milliseconds between two signs of life. */
export const beatMs = 1000
