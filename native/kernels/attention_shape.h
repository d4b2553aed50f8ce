#pragma once

#include <algorithm>

#include "ggml.h"
#include "kernels/panel.h"

namespace vcap::kernels {

/** Keys in a key block, which a query block attends to in one step, and the panels that they make. */
constexpr int KEY_BLOCK_PANELS = 256 / PANEL_COLUMNS;
constexpr int KEY_BLOCK = KEY_BLOCK_PANELS * PANEL_COLUMNS;

/**
 * The sizes of a GGML_OP_FLASH_ATTN_EXT, and how it is cut into blocks. Groups of query heads share the keys and values
 * of one KV head (grouped-query attention, Ainslie et al. 2023), so that a query block holds the queries of a whole
 * group. Keys are counted in panels of PANEL_COLUMNS, the last of which may be partial.
 */
struct AttentionShape {
    int64_t key_dim;           // floats of a query or key of one head
    int64_t value_dim;         // floats of a value of one head
    int64_t queries;           // of one head and stream
    int64_t keys;              // of one head and stream, as many as values
    int64_t query_heads;       // a multiple of kv_heads
    int64_t kv_heads;          // heads of keys and of values
    int64_t streams;           // independent sequences, each with its own queries, keys and values
    int group_size;            // query heads that share one KV head
    int64_t key_panels;        // panels of all keys of one head and stream
    int value_vectors;         // SIMD vectors that hold a value
    int query_block_queries;   // queries of each head in a query block; the last block may have fewer
    int64_t query_blocks;      // query blocks of one KV head and stream

    /** The shapes of `op` and its operands are those that attention() names. */
    explicit AttentionShape(const ggml_tensor * op) {
        // Rows of a query block, the queries of all heads of a group. The state of more would not stay in a core's
        // caches.
        constexpr int max_block_rows = 96;
        const ggml_tensor * q = op->src[0];
        const ggml_tensor * k = op->src[1];
        key_dim = k->ne[0];
        value_dim = op->src[2]->ne[0];
        queries = q->ne[1];
        keys = k->ne[1];
        query_heads = q->ne[2];
        kv_heads = k->ne[2];
        streams = q->ne[3];
        group_size = static_cast<int>(query_heads / kv_heads);
        key_panels = ceil_div(keys, PANEL_COLUMNS);
        value_vectors = vectors_for(value_dim);
        query_block_queries = static_cast<int>(std::clamp<int64_t>(max_block_rows / group_size, 1, queries));
        query_blocks = ceil_div(queries, query_block_queries);
    }

    /** Floats of a value padded to whole SIMD vectors. */
    int padded_value_dim() const { return value_vectors * LANES; }

    /** Keys in `panels` panels from `first_panel` on: whole panels, but for the last one of all. */
    int keys_in_panels(int64_t first_panel, int64_t panels) const {
        return static_cast<int>(std::min(panels * PANEL_COLUMNS, keys - first_panel * PANEL_COLUMNS));
    }
};

}   // namespace vcap::kernels
