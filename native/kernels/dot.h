#pragma once

#include "kernels/panel.h"

namespace vcap::kernels {

/**
 * out[row][i] = x[row] · weights[i] for i < count, in F32: for few rows, where packing the weights would not pay.
 * The weights are loadable.
 */
void dot_rows(const Rows & weights, int64_t count, int rows, const float * x, size_t x_stride, int64_t depth,
              float * out, size_t out_stride);

}   // namespace vcap::kernels
