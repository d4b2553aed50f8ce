#pragma once

#include "ggml.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/** Whether matrix_product takes this GGML_OP_MUL_MAT. */
bool can_multiply(const ggml_tensor * op);

/**
 * GGML_OP_MUL_MAT in F32, whatever the weights' type: they are unpacked a panel at a time, and neither they nor the
 * activations are rounded to half precision or to eight bits, as ggml's own product does.
 */
void matrix_product(ggml_tensor * op, Team & team);

}   // namespace vcap::kernels
