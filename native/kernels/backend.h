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

/**
 * Starts the threads on which the calling thread's graphs are then computed, `threads` >= 1 with itself. OpenMP would
 * start them at the first operation, and ends the process where the system does not allow them.
 */
void start_threads(int threads);

}   // namespace vcap::kernels
