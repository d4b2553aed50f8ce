#pragma once

#include "kernels/attention_shape.h"

namespace vcap::kernels {

/**
 * The keys or values of one head of one stream, [keys, key_dim] or [keys, value_dim]; `tensor` is
 * [streams, KV heads, keys, dim].
 */
inline MatrixView head_matrix(const ggml_tensor * tensor, int64_t stream, int64_t head) {
    return {tensor->type, static_cast<const char *>(tensor->data) + head * tensor->nb[2] + stream * tensor->nb[3],
            tensor->nb[1]};
}

/**
 * The keys and values of one KV head of one stream, packed in F32 for multiply_panel(). The packed panels lie in the
 * caller's memory, and several objects may share them. Several threads may pack different panels at once; a panel is
 * read only after it has been packed.
 */
class PackedKeyValues {
public:
    /** Floats of memory that all panels of one KV head of one stream take. */
    static int64_t memory_floats(const AttentionShape & shape) {
        return shape.key_panels * PANEL_COLUMNS * (shape.key_dim + shape.padded_value_dim());
    }

    /**
     * `op` is the attention. `memory` has room for memory_floats() floats and outlives this object, as does `shape`.

     */
    PackedKeyValues(const ggml_tensor * op, const AttentionShape & shape, int64_t stream, int64_t kv_head,
                    float * memory)
        : shape_(shape), keys_(head_matrix(op->src[1], stream, kv_head)),
          values_(head_matrix(op->src[2], stream, kv_head)), memory_(memory) {}

    /** Packs the keys and values of one panel. `buffer` has room for buffer_floats() floats. */
    void pack(int64_t panel, float * buffer) const;
    static int64_t buffer_floats(const AttentionShape & shape) { return LANES * shape.key_dim + shape.value_dim; }

    /** The keys of a panel, [key_dim, PANEL_COLUMNS]: a column is a key, and those past the last key are zeros. */
    const float * keys(int64_t panel) const { return key_panel(panel); }

    /**
     * The values of the keys of `panel` and all later panels, in the `vectors` SIMD vectors from vector `vector` on:
     * [keys, vectors · LANES], with rows of zeros past the last key. `vector` is a multiple of PANEL_VECTORS, and
     * `vectors` PANEL_VECTORS or the fewer that are left.
     */
    const float * values(int64_t panel, int vector, int vectors) const { return value_panel(panel, vector, vectors); }

private:
    // In memory the keys of all panels come first, then the values. These are cut into parts of PANEL_VECTORS vectors,
    // and each part holds all keys' rows, so that one product runs over the keys of several panels.
    float * key_panel(int64_t panel) const { return memory_ + panel * PANEL_COLUMNS * shape_.key_dim; }
    float * value_panel(int64_t panel, int vector, int vectors) const {
        return memory_ + shape_.key_panels * PANEL_COLUMNS * (shape_.key_dim + vector * LANES) +
               panel * PANEL_COLUMNS * vectors * LANES;
    }

    const AttentionShape & shape_;
    MatrixView keys_;     // [keys, key_dim]
    MatrixView values_;   // [keys, value_dim]
    float * memory_;
};

}   // namespace vcap::kernels
