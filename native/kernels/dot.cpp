#include "kernels/dot.h"

#include <algorithm>

namespace vcap::kernels {
namespace {

/** The vector whose lane i is the sum of all lanes of vectors[i]. */
Vec horizontal_sums(Vec (&vectors)[LANES]) {
    transpose(vectors);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            vectors[i] += vectors[i + half];
        }
    }
    return vectors[0];
}

/**
 * dot_rows() for ROWS rows of x. `weights` [outputs, depth] is `stride` elements from one row to the next. A tile is
 * ROWS rows of x by LANES / ROWS rows of weights, so that its dot products fill one vector.
 */
template <int ROWS, typename Element>
void dot_tile(const Element * weights, size_t stride, int64_t outputs, const float * x, size_t x_stride, int64_t depth,
              float * out, size_t out_stride) {
    constexpr int TILE_OUTPUTS = LANES / ROWS;
    for (int64_t first = 0; first < outputs; first += TILE_OUTPUTS) {
        const int count = static_cast<int>(std::min<int64_t>(TILE_OUTPUTS, outputs - first));
        // The last tile may have fewer rows of weights. It reads its last one again in place of those it lacks.
        const Element * weight_rows[TILE_OUTPUTS];
        for (int i = 0; i < TILE_OUTPUTS; i++) {
            weight_rows[i] = weights + (first + std::min(i, count - 1)) * stride;
        }
        Vec sums[LANES]{};
        int64_t k = 0;
        for (; k + LANES <= depth; k += LANES) {
            Vec values[ROWS];
            for (int row = 0; row < ROWS; row++) {
                values[row] = load(x + row * x_stride + k);
            }
            for (int i = 0; i < TILE_OUTPUTS; i++) {
                // The next tile's weights: with so few rows of x, the loop waits for memory and not for arithmetic.
                __builtin_prefetch(weight_rows[i] + TILE_OUTPUTS * stride + k);
                const Vec weight = load(weight_rows[i] + k);
                for (int row = 0; row < ROWS; row++) {
                    sums[row * TILE_OUTPUTS + i] += weight * values[row];
                }
            }
        }
        float results[LANES];
        store(results, horizontal_sums(sums));
        for (int row = 0; row < ROWS; row++) {
            for (int i = 0; i < count; i++) {
                float sum = results[row * TILE_OUTPUTS + i];
                for (int64_t j = k; j < depth; j++) {
                    sum += to_float(weight_rows[i][j]) * x[row * x_stride + j];
                }
                out[row * out_stride + first + i] = sum;
            }
        }
    }
}

}   // namespace

void dot_rows(const MatrixView & weights, int64_t outputs, int rows, const float * x, size_t x_stride, int64_t depth,
              float * out, size_t out_stride) {
    with_element_type(weights, [&](const auto * first) {
        const size_t stride = weights.stride / sizeof(*first);
        int row = 0;
        for (; row + 4 <= rows; row += 4) {
            dot_tile<4>(first, stride, outputs, x + row * x_stride, x_stride, depth, out + row * out_stride,
                        out_stride);
        }
        for (; row + 2 <= rows; row += 2) {
            dot_tile<2>(first, stride, outputs, x + row * x_stride, x_stride, depth, out + row * out_stride,
                        out_stride);
        }
        for (; row < rows; row++) {
            dot_tile<1>(first, stride, outputs, x + row * x_stride, x_stride, depth, out + row * out_stride,
                        out_stride);
        }
    });
}

}   // namespace vcap::kernels
