#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml.h"
#include "kernels/simd.h"

namespace vcap::kernels {

/** Whether a tensor's rows can be read: numbers side by side, of a type that ggml turns into floats. */
inline bool is_readable(const ggml_tensor * tensor) {
    return (tensor->type == GGML_TYPE_F32 || ggml_get_type_traits(tensor->type)->to_float != nullptr) &&
           tensor->nb[0] == ggml_type_size(tensor->type);
}

/** Whether load() takes numbers of this type as they stand. */
constexpr bool is_loadable(ggml_type type) {
    return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
}

/** Rows of numbers of any of ggml's types. */
struct Rows {
    ggml_type type;
    const char * data;
    size_t stride;   // bytes from row to row

    /** `count` numbers of a row from `first` on as F32, in `to` or where they stand. `first` is whole blocks of the
     * type. */
    const float * floats(int64_t row, int64_t first, int64_t count, float * to) const;
    const char * at(int64_t row) const { return data + row * stride; }
};

/** visit(const Element *) with the type of loadable rows' numbers, at the first. */
template <typename Visit>
void with_element(const Rows & rows, const Visit & visit) {
    switch (rows.type) {
        case GGML_TYPE_F32: return visit(reinterpret_cast<const float *>(rows.data));
        case GGML_TYPE_F16: return visit(reinterpret_cast<const ggml_fp16_t *>(rows.data));
        default: return visit(reinterpret_cast<const ggml_bf16_t *>(rows.data));
    }
}

/** Vectors that hold `columns`. */
constexpr int vectors_for(int columns) { return (columns + LANES - 1) / LANES; }

/**
 * Packs `count` <= PANEL rows, numbers `first` to `first + depth`, as the columns of a panel: to[depth][vectors ·
 * LANES], the rest zeros. `buffer` has room for LANES · depth.
 */
void pack_columns(const Rows & rows, int64_t row, int count, int64_t first, int depth, int vectors, float * to,
                  float * buffer);

/**
 * c[rows][vectors · LANES] (+)= a[rows][depth] · panel[depth][vectors · LANES], in F32, the sum over the depth in its
 * order: what a row becomes depends on no other row.
 */
void multiply_panel(int rows, const float * a, size_t a_stride, const float * panel, int vectors, int depth, float * c,
                    size_t c_stride, bool accumulate);

/** The same with a panel that is `depth` loadable rows as they stand. */
void multiply_rows(int rows, const float * a, size_t a_stride, const Rows & panel, int vectors, int depth, float * c,
                   size_t c_stride, bool accumulate);

}   // namespace vcap::kernels
