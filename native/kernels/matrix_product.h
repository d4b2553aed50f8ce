#pragma once

#include "ggml.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/** Whether matrix_product() computes this GGML_OP_MUL_MAT, and is worth it. */
bool supports_matrix_product(const ggml_tensor * op);

/**
 * GGML_OP_MUL_MAT in F32: for each matrix of the batch, result [rows, outputs] = activations [rows, depth] ·
 * transpose(weights [outputs, depth]). The weights are op->src[0], of any type, and repeat over the batch dimensions
 * where theirs are smaller; the activations are op->src[1], in F32. Weights are converted to F32 a panel at a time.
 * ggml's own product rounds the activations to half precision or to 8 bits where the weights have such a type; this one
 * rounds neither operand. `op` is one that supports_matrix_product().
 */
void matrix_product(ggml_tensor * op, Team & team);

}   // namespace vcap::kernels
