#pragma once

#include "ggml.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/** Whether quick_gelu takes this GGML_OP_UNARY. */
bool can_gelu(const ggml_tensor * op);

/** GGML_UNARY_OP_GELU_QUICK by its definition, x · σ(1.702 x): ggml's own looks it up in a table of half precision. */
void quick_gelu(ggml_tensor * op, Team & team);

}   // namespace vcap::kernels
