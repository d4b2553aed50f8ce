/** Serves the CPU as a ggml RPC server at argv[2], host:port, until it is killed. */
import { loadAddon } from '../../dist/native/load.js'

loadAddon().testing.serveRpc(process.argv[2])
