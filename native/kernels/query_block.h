#pragma once

#include "kernels/attention_mask.h"
#include "kernels/key_values.h"

namespace vcap::kernels {

/**
 * A block of queries, of all heads that share one key head, on its way past the keys: a row is one query of one head.
 * Its state is a maximum, a sum and a mixture of values for each row, so that blocks that met different keys can be
 * merged.
 */
class QueryBlock {
public:
    static int64_t floats(const AttentionShape & shape) {
        return state_floats(shape) + rows(shape) * (shape.key_width + GROUP_KEYS);
    }
    /** Of them, those that a later merge() needs: the first. */
    static int64_t state_floats(const AttentionShape & shape) { return rows(shape) * (shape.value_floats() + 2); }

    /** `memory` has room for floats(shape). */
    QueryBlock(const ggml_tensor * op, const AttentionShape & shape, int64_t stream, int64_t key_head, int64_t block,
               float * memory);

    /** Meets `count` <= GROUP_PANELS panels of keys from `panel` on, which stand in `key_values` from `place` on. */
    void meet(const AttentionMask & mask, const KeyValues & key_values, int64_t panel, int64_t place, int count);
    /** The same with keys and values as they stand: loadable, the values' width whole vectors. `keys` and `values`
     * begin with panel `panel`. */
    void meet(const AttentionMask & mask, const Rows & keys, const Rows & values, int64_t panel, int count);
    /** Adds what the same block gathered from other keys. */
    void merge(const float * state);
    /** Writes the rows into the operation's result. */
    void finish(ggml_tensor * op) const;

private:
    static int64_t rows(const AttentionShape & shape) {
        return static_cast<int64_t>(shape.block_queries) * shape.share;
    }

    void soften(const AttentionMask & mask, int64_t panel, int count);
    void add_mask(const AttentionMask & mask, int64_t panel, float * scores) const;
    void soften_row(int row, int count);
    void rescale(int row, float maximum);

    const AttentionShape & shape_;
    int64_t stream_, key_head_, block_;
    int64_t first_query_;
    int queries_;
    int rows_;
    float * mixed_;     // [rows, value_floats]
    float * maximum_;   // [rows]
    float * sum_;       // [rows]
    float * q_;         // [rows, key width], scaled; head by head
    float * scores_;    // [rows, GROUP_KEYS]
};

}   // namespace vcap::kernels
