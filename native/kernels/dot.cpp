#include "kernels/dot.h"

#include <algorithm>

namespace vcap::kernels {
namespace {

/** Sums of LANES vectors, one a lane. */
Vec sum_each(Vec (&vectors)[LANES]) {
    transpose(vectors);
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            vectors[i] += vectors[i + half];
        }
    }
    return vectors[0];
}

/** ROWS rows by LANES / ROWS weights: as many sums as a vector has lanes. */
template <int ROWS, typename Element>
void dot_tile(const Element * weights, size_t stride, int64_t count, const float * x, size_t x_stride, int64_t depth,
              float * out, size_t out_stride) {
    constexpr int COLUMNS = LANES / ROWS;
    for (int64_t first = 0; first < count; first += COLUMNS) {
        const int some = static_cast<int>(std::min<int64_t>(COLUMNS, count - first));
        const Element * column[COLUMNS];
        for (int i = 0; i < COLUMNS; i++) {
            column[i] = weights + (first + std::min(i, some - 1)) * stride;   // beyond the last: the last again
        }
        Vec sums[LANES]{};
        int64_t k = 0;
        for (; k + LANES <= depth; k += LANES) {
            Vec values[ROWS];
            for (int row = 0; row < ROWS; row++) {
                values[row] = load(x + row * x_stride + k);
            }
            for (int i = 0; i < COLUMNS; i++) {
                __builtin_prefetch(column[i] + COLUMNS * stride +
                                   k);   // the next tile's: memory is what this waits for
                const Vec weight = load(column[i] + k);
                for (int row = 0; row < ROWS; row++) {
                    sums[row * COLUMNS + i] += weight * values[row];
                }
            }
        }
        float results[LANES];
        store(results, sum_each(sums));
        for (int row = 0; row < ROWS; row++) {
            for (int i = 0; i < some; i++) {
                float sum = results[row * COLUMNS + i];
                for (int64_t rest = k; rest < depth; rest++) {
                    sum += to_float(column[i][rest]) * x[row * x_stride + rest];
                }
                out[row * out_stride + first + i] = sum;
            }
        }
    }
}

}   // namespace

void dot_rows(const Rows & weights, int64_t count, int rows, const float * x, size_t x_stride, int64_t depth,
              float * out, size_t out_stride) {
    with_element(weights, [&](const auto * first) {
        const size_t stride = weights.stride / sizeof(*first);
        int row = 0;
        for (; row + 4 <= rows; row += 4) {
            dot_tile<4>(first, stride, count, x + row * x_stride, x_stride, depth, out + row * out_stride, out_stride);
        }
        for (; row + 2 <= rows; row += 2) {
            dot_tile<2>(first, stride, count, x + row * x_stride, x_stride, depth, out + row * out_stride, out_stride);
        }
        for (; row < rows; row++) {
            dot_tile<1>(first, stride, count, x + row * x_stride, x_stride, depth, out + row * out_stride, out_stride);
        }
    });
}

}   // namespace vcap::kernels
