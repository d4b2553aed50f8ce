#pragma once

#include "ggml.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/**
 * Whether attention() computes this GGML_OP_FLASH_ATTN_EXT: one without sinks, ALiBi (max_bias) and logit soft-capping.
 */
bool supports_attention(const ggml_tensor * op);

/**
 * GGML_OP_FLASH_ATTN_EXT in F32: softmax(q · transpose(k) · scale + mask) · v, by blocks of queries and keys with the
 * online softmax (see QueryBlock). The shapes, with the columns adjacent in memory, are
 *
 *   op->src[0]  q     [streams, query heads, queries, key_dim], F32
 *   op->src[1]  k     [streams, KV heads, keys, key_dim], any type that can be read as F32
 *   op->src[2]  v     [streams, KV heads, keys, value_dim], any type that can be read as F32
 *   op->src[3]  mask  [streams or 1, 1, queries, keys], F16, or null
 *   op                [streams, queries, query heads, value_dim], F32
 *
 * and op->op_params[0] is the scale. The query heads are a multiple of the KV heads. `op` is one that
 * supports_attention().
 */
void attention(ggml_tensor * op, Team & team);

}   // namespace vcap::kernels
