#pragma once

#include "ggml.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/** Whether quick_gelu() computes this GGML_OP_UNARY: GGML_UNARY_OP_GELU_QUICK, contiguous, from F32 to F32. */
bool supports_quick_gelu(const ggml_tensor * op);

/**
 * GGML_UNARY_OP_GELU_QUICK of a tensor of any shape: x · σ(1.702 x), with σ the logistic function (Hendrycks and Gimpel
 * 2016, 'Gaussian Error Linear Units'). It is computed in F32, because ggml's CPU backend reads the result from a table
 * of half-precision numbers. `op` is one that supports_quick_gelu().
 */
void quick_gelu(ggml_tensor * op, Team & team);

}   // namespace vcap::kernels
