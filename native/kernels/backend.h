#pragma once

#include "ggml-backend.h"

namespace vcap::kernels {

/**
 * Makes this folder's kernels a device of ggml, of the accelerator kind: every context that llama.cpp makes from then
 * on computes with them what they take, in the CPU's memory, and leaves the rest to ggml's CPU backend. From any
 * thread.
 */
void register_backend();

/** One of one's own, for a graph of one's own. */
ggml_backend_t open_backend(int threads);

}   // namespace vcap::kernels
