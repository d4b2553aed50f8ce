#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml.h"
#include "kernels/ceil_div.h"
#include "kernels/simd.h"

// Matrices of any ggml type, and products with packed panels. A panel is a matrix in F32 of at most PANEL_COLUMNS
// columns, stored so that the register tile reads it from front to back (Goto and van de Geijn 2008, 'Anatomy of
// High-Performance Matrix Multiplication'). Shapes are written [rows, columns], the columns adjacent in memory.

namespace vcap::kernels {

/** Whether a tensor's rows can be read as F32: their elements are adjacent and ggml can convert them. */
inline bool is_readable_as_f32(const ggml_tensor * tensor) {
    return (tensor->type == GGML_TYPE_F32 || ggml_get_type_traits(tensor->type)->to_float != nullptr) &&
           tensor->nb[0] == ggml_type_size(tensor->type);
}

/** Whether load() reads elements of this type. The other types that can be read as F32 are quantised, in blocks. */
constexpr bool is_floating_point(ggml_type type) {
    return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
}

/** A matrix of any ggml type in memory that the view does not own. */
struct MatrixView {
    ggml_type type;
    const char * data;   // the first row
    size_t stride;       // bytes from one row to the next

    /** The address of a row's first element. */
    const char * row(int64_t index) const { return data + index * stride; }

    /** The same matrix without its first `first` rows. */
    MatrixView rows_from(int64_t first) const { return {type, row(first), stride}; }

    /**
     * `count` elements of row `index` from column `first_column` on, as F32. A row of F32 is returned where it lies;
     * one of another type is converted into `buffer`, which has room for `count` floats. For a quantised type
     * `first_column` and `count` are multiples of the type's block size.
     */
    const float * row_as_f32(int64_t index, int64_t first_column, int64_t count, float * buffer) const;
};

/** Calls function(const Element *) with the address of the matrix's first element. The type is a floating-point one. */
template <typename Function>
void with_element_type(const MatrixView & matrix, const Function & function) {
    switch (matrix.type) {
        case GGML_TYPE_F32: return function(reinterpret_cast<const float *>(matrix.data));
        case GGML_TYPE_F16: return function(reinterpret_cast<const ggml_fp16_t *>(matrix.data));
        default: return function(reinterpret_cast<const ggml_bf16_t *>(matrix.data));
    }
}

/** The number of SIMD vectors that hold `columns` floats. */
constexpr int vectors_for(int64_t columns) { return static_cast<int>(ceil_div(columns, LANES)); }

/** `columns` rounded up to whole SIMD vectors, in floats. */
constexpr int pad_to_vectors(int64_t columns) { return vectors_for(columns) * LANES; }

/**
 * Packs part of a matrix, transposed: rows `first_row` to `first_row + count` become the columns of `panel`
 * [depth, vectors · LANES], and columns `first_column` to `first_column + depth` its rows. The panel's columns from
 * `count` on are zeros. `count` <= vectors · LANES, `vectors` <= PANEL_VECTORS; for a quantised type `first_column` and
 * `depth` are multiples of the type's block size. `buffer` has room for LANES · depth floats.
 */
void pack_panel(const MatrixView & matrix, int64_t first_row, int count, int64_t first_column, int depth, int vectors,
                float * panel, float * buffer);

/**
 * c = a · panel, or c += a · panel where `accumulate` is set, in F32. The shapes are a [rows, depth],
 * panel [depth, vectors · LANES] and c [rows, vectors · LANES], with 1 <= vectors <= PANEL_VECTORS. `a_stride` and
 * `c_stride` are floats from one row to the next; the panel's rows are adjacent. The terms of each element are added in
 * the order of the depth, so that a row of c depends on its own row of a alone, and not on the number of rows.
 */
void multiply_panel(int rows, const float * a, size_t a_stride, const float * panel, int vectors, int depth, float * c,
                    size_t c_stride, bool accumulate);

/** The same with b [depth, vectors · LANES], a matrix of a floating-point type, in place of a packed panel. */
void multiply_unpacked(int rows, const float * a, size_t a_stride, const MatrixView & b, int vectors, int depth,
                       float * c, size_t c_stride, bool accumulate);

}   // namespace vcap::kernels
