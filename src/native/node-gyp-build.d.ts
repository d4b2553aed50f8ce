declare module 'node-gyp-build' {
  const nodeGypBuild: {
    /** Path of the addon built for this platform in `directory`. Throws when there is none. */
    resolve(directory: string): string
  }
  export = nodeGypBuild
}
