#include "kernels/panel.h"

#include <algorithm>

namespace vcap::kernels {
namespace {

/** Converts `count` elements of F16 or BF16 to F32. Returns `destination`. */
template <typename Half>
const float * convert(const Half * source, int64_t count, float * destination) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        store(destination + i, load(source + i));
    }
    for (; i < count; i++) {
        destination[i] = to_float(source[i]);
    }
    return destination;
}

}   // namespace

const float * MatrixView::row_as_f32(int64_t index, int64_t first_column, int64_t count, float * buffer) const {
    const char * source = row(index) + first_column / ggml_blck_size(type) * ggml_type_size(type);
    switch (type) {
        case GGML_TYPE_F32: return reinterpret_cast<const float *>(source);
        case GGML_TYPE_F16: return convert(reinterpret_cast<const ggml_fp16_t *>(source), count, buffer);
        case GGML_TYPE_BF16: return convert(reinterpret_cast<const ggml_bf16_t *>(source), count, buffer);
        default: ggml_get_type_traits(type)->to_float(source, buffer, count); return buffer;
    }
}

void pack_panel(const MatrixView & matrix, int64_t first_row, int count, int64_t first_column, int depth, int vectors,
                float * panel, float * buffer) {
    const int width = vectors * LANES;
    // LANES of the panel's columns at a time, in squares of LANES x LANES elements that are transposed in registers.
    for (int first = 0; first < width; first += LANES) {
        const float * sources[LANES];
        const int filled = std::clamp(count - first, 0, LANES);
        for (int column = 0; column < filled; column++) {
            sources[column] = matrix.row_as_f32(first_row + first + column, first_column, depth,
                                                buffer + static_cast<size_t>(column) * depth);
        }
        float * destination = panel + first;
        int k = 0;
        for (; k + LANES <= depth; k += LANES) {
            Vec square[LANES];
            for (int column = 0; column < LANES; column++) {
                square[column] = column < filled ? load(sources[column] + k) : Vec{};
            }
            transpose(square);
            for (int i = 0; i < LANES; i++) {
                store(destination + static_cast<size_t>(k + i) * width, square[i]);
            }
        }
        for (; k < depth; k++) {
            for (int column = 0; column < LANES; column++) {
                destination[static_cast<size_t>(k) * width + column] = column < filled ? sources[column][k] : 0;
            }
        }
    }
}

namespace {

// The functions below compute c (+)= a · b like multiply_panel(), for b [depth, vectors · LANES] of a floating-point
// type; `b_stride` is elements from one row to the next. Each fixes one more size at compile time.

/** The register tile: ROWS rows by VECTORS vectors of c. */
template <int ROWS, int VECTORS, typename Element>
void multiply_tile(const float * a, size_t a_stride, const Element * b, size_t b_stride, int depth, float * c,
                   size_t c_stride, bool accumulate) {
    Vec sums[ROWS][VECTORS];
    unrolled<ROWS>([&](auto row) VCAP_ALWAYS_INLINE {
        unrolled<VECTORS>([&](auto v) VCAP_ALWAYS_INLINE {
            sums[row][v] = accumulate ? load(c + row * c_stride + v * LANES) : Vec{};
        });
    });
    for (int k = 0; k < depth; k++, b += b_stride) {
        Vec row_of_b[VECTORS];
        unrolled<VECTORS>([&](auto v) VCAP_ALWAYS_INLINE { row_of_b[v] = load(b + v * LANES); });
        unrolled<ROWS>([&](auto row) VCAP_ALWAYS_INLINE {
            const Vec factor = broadcast(a[row * a_stride + k]);
            unrolled<VECTORS>([&](auto v) VCAP_ALWAYS_INLINE { sums[row][v] += factor * row_of_b[v]; });
        });
    }
    unrolled<ROWS>([&](auto row) VCAP_ALWAYS_INLINE {
        unrolled<VECTORS>([&](auto v) VCAP_ALWAYS_INLINE { store(c + row * c_stride + v * LANES, sums[row][v]); });
    });
}

/** All rows of c, a tile of TILE_ROWS at a time and a smaller one at the end. */
template <int VECTORS, typename Element>
void multiply_tiles(int rows, const float * a, size_t a_stride, const Element * b, size_t b_stride, int depth,
                    float * c, size_t c_stride, bool accumulate) {
    static_assert(TILE_ROWS == 6, "the switch below has a case for each smaller tile");
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, a += TILE_ROWS * a_stride, c += TILE_ROWS * c_stride) {
        multiply_tile<TILE_ROWS, VECTORS>(a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
    }
    switch (rows) {
        case 1: return multiply_tile<1, VECTORS>(a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        case 2: return multiply_tile<2, VECTORS>(a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        case 3: return multiply_tile<3, VECTORS>(a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        case 4: return multiply_tile<4, VECTORS>(a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        case 5: return multiply_tile<5, VECTORS>(a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        default: return;
    }
}

/** The number of vectors as a template argument, so that a tile's sums stay in registers. */
template <typename Element>
void multiply(int rows, const float * a, size_t a_stride, const Element * b, size_t b_stride, int vectors, int depth,
              float * c, size_t c_stride, bool accumulate) {
    switch (vectors) {
        case 1: return multiply_tiles<1>(rows, a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        case 2: return multiply_tiles<2>(rows, a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        case 3: return multiply_tiles<3>(rows, a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
        default: return multiply_tiles<4>(rows, a, a_stride, b, b_stride, depth, c, c_stride, accumulate);
    }
}

}   // namespace

void multiply_panel(int rows, const float * a, size_t a_stride, const float * panel, int vectors, int depth, float * c,
                    size_t c_stride, bool accumulate) {
    multiply(rows, a, a_stride, panel, static_cast<size_t>(vectors) * LANES, vectors, depth, c, c_stride, accumulate);
}

void multiply_unpacked(int rows, const float * a, size_t a_stride, const MatrixView & b, int vectors, int depth,
                       float * c, size_t c_stride, bool accumulate) {
    with_element_type(b, [&](const auto * first) {
        multiply(rows, a, a_stride, first, b.stride / sizeof(*first), vectors, depth, c, c_stride, accumulate);
    });
}

}   // namespace vcap::kernels
