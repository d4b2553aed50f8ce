declare module 'node-gyp-build' {
  /** Loads the addon built for this platform from `directory`. Throws when there is none. */
  function nodeGypBuild(directory: string): unknown
  export = nodeGypBuild
}
