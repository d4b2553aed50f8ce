#pragma once

#include "ggml.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/** Whether attention() takes this GGML_OP_FLASH_ATTN_EXT. */
bool can_attend(const ggml_tensor * op);

/**
 * GGML_OP_FLASH_ATTN_EXT in F32: softmax(q·kᵀ·scale + mask)·v by blocks with a running maximum and sum (Milakov and
 * Gimelshein 2018; Dao et al. 2022). Keys and values of any type are unpacked once for all query heads that share them.
 */
void attention(ggml_tensor * op, Team & team);

}   // namespace vcap::kernels
