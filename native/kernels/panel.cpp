#include "kernels/panel.h"

#include <algorithm>

namespace vcap::kernels {
namespace {

template <typename Half>
const float * convert(const Half * from, int64_t count, float * to) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        store(to + i, load(from + i));
    }
    for (; i < count; i++) {
        to[i] = to_float(from[i]);
    }
    return to;
}

}   // namespace

const float * Rows::floats(int64_t row, int64_t first, int64_t count, float * to) const {
    const char * from = data + row * stride + first / ggml_blck_size(type) * ggml_type_size(type);
    switch (type) {
        case GGML_TYPE_F32: return reinterpret_cast<const float *>(from);
        case GGML_TYPE_F16: return convert(reinterpret_cast<const ggml_fp16_t *>(from), count, to);
        case GGML_TYPE_BF16: return convert(reinterpret_cast<const ggml_bf16_t *>(from), count, to);
        default: ggml_get_type_traits(type)->to_float(from, to, count); return to;
    }
}

void pack_columns(const Rows & rows, int64_t row, int count, int64_t first, int depth, int vectors, float * to,
                  float * buffer) {
    const int width = vectors * LANES;
    for (int first_column = 0; first_column < width; first_column += LANES) {
        const float * source[LANES];
        const int some = std::clamp(count - first_column, 0, LANES);
        for (int column = 0; column < some; column++) {
            source[column] =
                rows.floats(row + first_column + column, first, depth, buffer + static_cast<size_t>(column) * depth);
        }
        float * out = to + first_column;
        int k = 0;
        for (; k + LANES <= depth; k += LANES) {
            Vec square[LANES];
            for (int column = 0; column < LANES; column++) {
                square[column] = column < some ? load(source[column] + k) : Vec{};
            }
            transpose(square);
            for (int i = 0; i < LANES; i++) {
                store(out + static_cast<size_t>(k + i) * width, square[i]);
            }
        }
        for (; k < depth; k++) {
            for (int column = 0; column < LANES; column++) {
                out[static_cast<size_t>(k) * width + column] = column < some ? source[column][k] : 0;
            }
        }
    }
}

namespace {

template <int ROWS, int VECTORS, typename Element>
void multiply_tile(const float * a, size_t a_stride, const Element * panel, size_t panel_stride, int depth, float * c,
                   size_t c_stride, bool accumulate) {
    Vec sums[ROWS][VECTORS];
    for (int row = 0; row < ROWS; row++) {
        for (int v = 0; v < VECTORS; v++) {
            sums[row][v] = accumulate ? load(c + row * c_stride + v * LANES) : Vec{};
        }
    }
    for (int k = 0; k < depth; k++, panel += panel_stride) {
        Vec columns[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            columns[v] = load(panel + v * LANES);
        }
        for (int row = 0; row < ROWS; row++) {
            const Vec factor = broadcast(a[row * a_stride + k]);
            for (int v = 0; v < VECTORS; v++) {
                sums[row][v] += factor * columns[v];
            }
        }
    }
    for (int row = 0; row < ROWS; row++) {
        for (int v = 0; v < VECTORS; v++) {
            store(c + row * c_stride + v * LANES, sums[row][v]);
        }
    }
}

template <int VECTORS, typename Element>
void multiply_vectors(int rows, const float * a, size_t a_stride, const Element * panel, size_t panel_stride, int depth,
                      float * c, size_t c_stride, bool accumulate) {
    static_assert(TILE_ROWS == 6, "the tail below has a case for each smaller tile");
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, a += TILE_ROWS * a_stride, c += TILE_ROWS * c_stride) {
        multiply_tile<TILE_ROWS, VECTORS>(a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
    }
    switch (rows) {
        case 1: return multiply_tile<1, VECTORS>(a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        case 2: return multiply_tile<2, VECTORS>(a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        case 3: return multiply_tile<3, VECTORS>(a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        case 4: return multiply_tile<4, VECTORS>(a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        case 5: return multiply_tile<5, VECTORS>(a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        default: return;
    }
}

template <typename Element>
void multiply(int rows, const float * a, size_t a_stride, const Element * panel, size_t panel_stride, int vectors,
              int depth, float * c, size_t c_stride, bool accumulate) {
    switch (vectors) {
        case 1: return multiply_vectors<1>(rows, a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        case 2: return multiply_vectors<2>(rows, a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        case 3: return multiply_vectors<3>(rows, a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
        default: return multiply_vectors<4>(rows, a, a_stride, panel, panel_stride, depth, c, c_stride, accumulate);
    }
}

}   // namespace

void multiply_panel(int rows, const float * a, size_t a_stride, const float * panel, int vectors, int depth, float * c,
                    size_t c_stride, bool accumulate) {
    multiply(rows, a, a_stride, panel, static_cast<size_t>(vectors) * LANES, vectors, depth, c, c_stride, accumulate);
}

void multiply_rows(int rows, const float * a, size_t a_stride, const Rows & panel, int vectors, int depth, float * c,
                   size_t c_stride, bool accumulate) {
    with_element(panel, [&](const auto * first) {
        multiply(rows, a, a_stride, first, panel.stride / sizeof(*first), vectors, depth, c, c_stride, accumulate);
    });
}

}   // namespace vcap::kernels
