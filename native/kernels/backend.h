#pragma once

#include "ggml-backend.h"

namespace vcap::kernels {

/**
 * Registers the kernels with ggml as a device of the accelerator kind, once for the process. Every context that
 * llama.cpp makes afterwards computes the supported operations with them, in the CPU's memory, and the others with
 * ggml's CPU backend. May be called from any thread.
 */
void register_backend();

/**
 * Opens a backend of the kernels for graphs that the caller computes itself, on `threads` >= 1 threads. The caller owns
 * it and frees it with ggml_backend_free(). It needs no register_backend(), and is used from one thread at a time.
 */
ggml_backend_t open_backend(int threads);

}   // namespace vcap::kernels
