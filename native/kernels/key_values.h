#pragma once

#include "kernels/attention_shape.h"

namespace vcap::kernels {

/** Keys or values of one head of one stream. */
inline Rows head_rows(const ggml_tensor * tensor, int64_t stream, int64_t head) {
    return {tensor->type, static_cast<const char *>(tensor->data) + head * tensor->nb[2] + stream * tensor->nb[3],
            tensor->nb[1]};
}

/** Keys and values of one key head of one stream, some panels of them unpacked for multiply_panel. */
class KeyValues {
public:
    /** `memory` has room for shape.floats_of_panels(capacity). */
    KeyValues(const ggml_tensor * op, const AttentionShape & shape, int64_t stream, int64_t key_head, int64_t capacity,
              float * memory)
        : shape_(shape), keys_(head_rows(op->src[1], stream, key_head)),
          values_(head_rows(op->src[2], stream, key_head)), capacity_(capacity), memory_(memory) {}

    /** Unpacks panel `panel` into place `place` < capacity. `buffer` has room for buffer_floats(). */
    void unpack(int64_t panel, int64_t place, float * buffer) const;
    static int64_t buffer_floats(const AttentionShape & shape) { return LANES * shape.key_width + shape.value_width; }

    /** [key width, PANEL]: a column a key, zeros beyond the last. */
    const float * keys(int64_t place) const { return key_place(place); }
    /**
     * Values from a place on, columns `vector · LANES` and PANEL_VECTORS vectors (or what is left) beyond: [keys,
     * columns], in one piece over all places; zeros beyond the last key.
     */
    const float * values(int64_t place, int vector, int vectors) const { return value_place(place, vector, vectors); }

private:
    float * key_place(int64_t place) const { return memory_ + place * PANEL * shape_.key_width; }
    float * value_place(int64_t place, int vector, int vectors) const {
        return memory_ + capacity_ * PANEL * (shape_.key_width + vector * LANES) + place * PANEL * vectors * LANES;
    }

    const AttentionShape & shape_;
    Rows keys_;
    Rows values_;
    int64_t capacity_;
    float * memory_;
};

}   // namespace vcap::kernels
