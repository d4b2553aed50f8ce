#pragma once

#include <algorithm>

#include "ggml.h"
#include "kernels/panel.h"

namespace vcap::kernels {

/** Keys that a block of queries meets at a time. */
constexpr int GROUP_PANELS = 256 / PANEL;
constexpr int GROUP_KEYS = GROUP_PANELS * PANEL;

/** The sizes of a GGML_OP_FLASH_ATTN_EXT, and how its queries are cut into blocks. */
struct AttentionShape {
    int64_t key_width, value_width, queries, keys, heads, key_heads, streams;
    int share;           // query heads of a key head
    int64_t panels;      // of keys
    int value_vectors;   // of a row of values
    int block_queries;   // of each head
    int64_t blocks;      // of queries

    explicit AttentionShape(const ggml_tensor * op) {
        // Rows of a block: queries of all heads that share keys. More would not stay in a core's caches.
        constexpr int block_rows = 96;
        const ggml_tensor * q = op->src[0];
        const ggml_tensor * k = op->src[1];
        key_width = k->ne[0];
        value_width = op->src[2]->ne[0];
        queries = q->ne[1];
        keys = k->ne[1];
        heads = q->ne[2];
        key_heads = k->ne[2];
        streams = q->ne[3];
        share = static_cast<int>(heads / key_heads);
        panels = (keys + PANEL - 1) / PANEL;
        value_vectors = vectors_for(static_cast<int>(value_width));
        block_queries = static_cast<int>(std::clamp<int64_t>(block_rows / share, 1, queries));
        blocks = (queries + block_queries - 1) / block_queries;
    }

    int value_floats() const { return value_vectors * LANES; }
    /** Keys and values of one key head, unpacked. */
    int64_t floats_of_panels(int64_t count) const { return count * PANEL * (key_width + value_floats()); }
};

}   // namespace vcap::kernels
