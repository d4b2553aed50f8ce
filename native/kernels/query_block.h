#pragma once

#include "kernels/attention_mask.h"
#include "kernels/key_values.h"

namespace vcap::kernels {

/**
 * The attention of a block of queries, of all query heads that share one KV head. It attends to one block of keys after
 * the other by the online softmax (Milakov and Gimelshein 2018, 'Online normalizer calculation for softmax'; Dao et al.
 * 2022, 'FlashAttention'). Its state for each row, which is one query of one head, is
 *
 *   m       the running maximum of the scores so far,
 *   l       the running sum of exp(score - m), the softmax's normalizer,
 *   output  the running sum of exp(score - m) · value, not yet divided by l.
 *
 * Where a new maximum exceeds m, l and the output are rescaled to it. States over different keys can be merged. An
 * object is used by one thread at a time.
 */
class QueryBlock {
public:
    /** Floats of memory that a block takes. */
    static int64_t memory_floats(const AttentionShape & shape) {
        return state_floats(shape) + max_rows(shape) * (shape.key_dim + KEY_BLOCK);
    }

    /** Floats of its state, which the memory begins with and merge() reads. */
    static int64_t state_floats(const AttentionShape & shape) {
        return max_rows(shape) * (shape.padded_value_dim() + 2);
    }

    /**
     * Reads the queries of block `query_block` from `op`, scales them, and begins with no key. `memory` has room for
     * memory_floats() floats, is the caller's, and outlives this object, as does `shape`.
     */
    QueryBlock(const ggml_tensor * op, const AttentionShape & shape, int64_t stream, int64_t kv_head,
               int64_t query_block, float * memory);

    /**
     * Attends to the keys of `panels` <= KEY_BLOCK_PANELS panels from `first_panel` on, which are packed in
     * `key_values`.
     */
    void attend(const AttentionMask & mask, const PackedKeyValues & key_values, int64_t first_panel, int panels);

    /**
     * The same with keys and values that are not packed. Row 0 of `keys` [keys, key_dim] and of `values`
     * [keys, padded_value_dim] is the first key of `first_panel`. Both are of a floating-point type.
     */
    void attend(const AttentionMask & mask, const MatrixView & keys, const MatrixView & values, int64_t first_panel,
                int panels);

    /** Merges the state of the same queries over other keys: the first state_floats() floats of that block's memory. */
    void merge(const float * state);

    /**
     * Divides the output by l and writes it to the rows of `op` that are these queries'. A query that saw no key has
     * an output of zeros.
     */
    void write_output(ggml_tensor * op) const;

private:
    /** Rows of a block that has all its queries. */
    static int64_t max_rows(const AttentionShape & shape) {
        return static_cast<int64_t>(shape.query_block_queries) * shape.group_size;
    }

    /**
     * The online softmax's step: masks the scores of `panels` panels from `first_panel` on, raises m to their maximum,
     * replaces each by exp(score - m), and adds these to l.
     */
    void update_softmax(const AttentionMask & mask, int64_t first_panel, int panels);
    /** Adds the mask of a panel to its scores, [rows, PANEL_COLUMNS] with KEY_BLOCK floats from one row to the next. */
    void add_mask(const AttentionMask & mask, int64_t panel, float * scores) const;
    /** update_softmax() for the first `count` scores of a row, a multiple of LANES, after masking. */
    void update_softmax_row(int row, int count);
    /** Raises a row's m to `maximum`, where that is larger, and rescales its l and output by exp(old m - new m). */
    void rescale(int row, float maximum);

    const AttentionShape & shape_;
    int64_t stream_, kv_head_, query_block_;
    int64_t first_query_;
    int queries_;   // of each head
    int rows_;      // row = head within the group · queries_ + query within the block

    // In `memory`, in this order. The first three are the state.
    float * output_;            // [max_rows, padded_value_dim]
    float * running_maximum_;   // m, [max_rows]
    float * running_sum_;       // l, [max_rows]
    float * q_;                 // queries times the scale, [max_rows, key_dim]
    float * scores_;            // scores of a key block, and then their exponentials, [max_rows, KEY_BLOCK]
};

}   // namespace vcap::kernels
