/** Before the first byte of a download: what, how large, from where and where to. */
export interface DownloadEvent {
  type: 'download'
  /** Of the Hugging Face Hub. */
  repo: string
  file: string
  bytes: number
  /** The hub's address. */
  from: string
  /** The folder of the repository in the hub's cache. */
  to: string
  /** As the model's authors name it; null where it is not known here. */
  licence: string | null
}

/** How far a download is. */
export interface DownloadingEvent {
  type: 'downloading'
  repo: string
  file: string
  /** Those that are there, those of an earlier download among them. */
  bytes: number
  total: number
  /** Whether another process downloads it, and this one waits. */
  byAnother: boolean
}

/** A file is there, and its checksum is right. */
export interface DownloadedEvent {
  type: 'downloaded'
  repo: string
  file: string
  bytes: number
}

/** What a model's download tells. */
export type DownloadProgressEvent = DownloadEvent | DownloadingEvent | DownloadedEvent

/** A download in a line, for people. */
export function downloadLine({ repo, file, bytes, from, to, licence }: DownloadEvent): string {
  const shown = licence === null ? '' : `; licence ${licence}`
  return `Downloading ${repo}/${file}, ${formatBytes(bytes)}, from ${from} to ${to}${shown}`
}

export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`
}
