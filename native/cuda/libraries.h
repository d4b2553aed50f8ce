#pragma once

#include "cuda/library.h"

namespace vcap::cuda {

/** cuBLAS, looked for at the first call. ggml multiplies matrices by it: without it no GPU computes here. */
const Library & cublas();

/** NCCL, looked for at the first call. ggml sums over GPUs by it, and slower without it. */
const Library & nccl();

}   // namespace vcap::cuda
