#pragma once

#include "kernels/panel.h"

namespace vcap::kernels {

/**
 * out = x · transpose(weights) in F32, for so few rows of x that packing the weights would cost more than it saves.
 * x is [rows, depth], weights [outputs, depth] of a floating-point type, out [rows, outputs]; `x_stride` and
 * `out_stride` are floats from one row to the next.
 */
void dot_rows(const MatrixView & weights, int64_t outputs, int rows, const float * x, size_t x_stride, int64_t depth,
              float * out, size_t out_stride);

}   // namespace vcap::kernels
