#include "kernels/attention.h"

#include <cstring>

#include "kernels/query_block.h"

namespace vcap::kernels {
namespace {

// Floats of keys and values that are packed at a time (32 MiB), unless those of one KV head alone are more.
constexpr int64_t MAX_PACKED_FLOATS = 8 << 20;
// With at most this many rows of queries for each KV head, packing keys and values costs more than it saves.
constexpr int64_t MAX_ROWS_UNPACKED = 16;

/**
 * Calls function(first panel, panels) for the panels from `first` to `end` - 1, in order and at most KEY_BLOCK_PANELS
 * at a time, without those that the mask hides from the whole query block.
 */
template <typename Function>
void for_each_key_block(const AttentionMask & mask, int64_t stream, int64_t query_block, int64_t first, int64_t end,
                        const Function & function) {
    for (int64_t panel = first; panel < end;) {
        int count = 0;
        while (count < KEY_BLOCK_PANELS && panel + count < end && !mask.masks_all(stream, query_block, panel + count)) {
            count++;
        }
        if (count > 0) {
            function(panel, count);
        }
        panel += std::max(count, 1);
    }
}

/**
 * Attention of many queries, as over a prompt or an image. Keys and values are packed once for all query blocks. A pair
 * is a stream and a KV head; as many pairs are packed at a time as MAX_PACKED_FLOATS allows.
 */
void attend_packed(ggml_tensor * op, const AttentionShape & shape, const AttentionMask & mask, Team & team) {
    const int64_t pairs = shape.streams * shape.kv_heads;
    const int64_t pair_floats = PackedKeyValues::memory_floats(shape);
    const int64_t slots = std::clamp<int64_t>(MAX_PACKED_FLOATS / pair_floats, 1, pairs);
    float * memory = team.shared_buffer().reserve(slots * pair_floats);
    const auto key_values_of = [&](int64_t pair) {
        return PackedKeyValues(op, shape, pair / shape.kv_heads, pair % shape.kv_heads,
                               memory + pair % slots * pair_floats);
    };
    for (int64_t first_pair = 0; first_pair < pairs; first_pair += slots) {
        const int64_t count = std::min(slots, pairs - first_pair);
        team.parallel_for(static_cast<int>(count * shape.key_panels), [&](int item, ScratchBuffer & scratch) {
            key_values_of(first_pair + item / shape.key_panels)
                .pack(item % shape.key_panels, scratch.reserve(PackedKeyValues::buffer_floats(shape)));
        });
        team.parallel_for(static_cast<int>(count * shape.query_blocks), [&](int item, ScratchBuffer & scratch) {
            const int64_t pair = first_pair + item / shape.query_blocks;
            const int64_t stream = pair / shape.kv_heads;
            // Under a causal mask later queries see more keys. The longest items come first, which balances the
            // threads.
            const int64_t query_block = shape.query_blocks - 1 - item % shape.query_blocks;
            const PackedKeyValues key_values = key_values_of(pair);
            QueryBlock block(op, shape, stream, pair % shape.kv_heads, query_block,
                             scratch.reserve(QueryBlock::memory_floats(shape)));
            for_each_key_block(mask, stream, query_block, 0, shape.key_panels, [&](int64_t first_panel, int panels) {
                block.attend(mask, key_values, first_panel, panels);
            });
            block.write_output(op);
        });
    }
}

/**
 * Prefetches `count` keys and values from `first_key` on, of all heads, where those of one key are adjacent as in
 * llama.cpp's cache. In another layout it prefetches memory that is not needed soon, which costs time and changes no
 * result.
 */
void prefetch(const ggml_tensor * op, int64_t stream, int64_t first_key, int64_t count) {
    constexpr int64_t cache_line = 64;   // bytes
    for (const ggml_tensor * tensor : {op->src[1], op->src[2]}) {
        const char * first =
            static_cast<const char *>(tensor->data) + stream * tensor->nb[3] + first_key * tensor->nb[1];
        const int64_t bytes = std::min(count, tensor->ne[1] - first_key) * static_cast<int64_t>(tensor->nb[1]);
        for (int64_t offset = 0; offset < bytes; offset += cache_line) {
            __builtin_prefetch(first + offset);
        }
    }
}

/**
 * The rows `first_row` to `first_row + count` of a matrix of `columns` columns, as a matrix [count, padded columns] of
 * a floating-point type. Its columns are padded with zeros to whole SIMD vectors. If `matrix` is of such a type and
 * needs no padding, the result is a view of it; otherwise the rows are converted into `buffer`, which has room for
 * count · padded columns floats.
 */
MatrixView padded_rows(const MatrixView & matrix, int64_t first_row, int count, int64_t columns, float * buffer) {
    const int64_t padded = pad_to_vectors(columns);
    if (is_floating_point(matrix.type) && columns == padded) {
        return matrix.rows_from(first_row);
    }
    for (int row = 0; row < count; row++) {
        float * destination = buffer + row * padded;
        const float * source = matrix.row_as_f32(first_row + row, 0, columns, destination);
        if (source != destination) {
            std::memcpy(destination, source, columns * sizeof(float));
        }
        std::fill(destination + columns, destination + padded, 0.0f);
    }
    return {GGML_TYPE_F32, reinterpret_cast<const char *>(buffer), padded * sizeof(float)};
}

/**
 * Attention of few queries, as in decoding, where reading the KV cache takes most of the time. Keys and values are used
 * where they lie. The keys are split into parts that the threads attend to independently, and whose states are merged
 * (Dao et al. 2023, 'Flash-Decoding for long-context inference'). A work item is one part for all KV heads of a stream,
 * whose keys are adjacent in the cache, and prefetches its next key block.
 */
void attend_unpacked(ggml_tensor * op, const AttentionShape & shape, const AttentionMask & mask, Team & team) {
    const int64_t heads = shape.kv_heads;
    const int64_t key_blocks = ceil_div(shape.key_panels, KEY_BLOCK_PANELS);
    const int64_t wanted_parts = std::clamp<int64_t>(4 * team.threads() / shape.streams, 1, key_blocks);
    const int64_t part_panels = ceil_div(key_blocks, wanted_parts) * KEY_BLOCK_PANELS;
    const int64_t parts = ceil_div(shape.key_panels, part_panels);
    const int64_t block_floats = QueryBlock::memory_floats(shape);
    const int64_t state_floats = QueryBlock::state_floats(shape);
    float * states = team.shared_buffer().reserve(shape.streams * parts * heads * state_floats);
    team.parallel_for(static_cast<int>(shape.streams * parts), [&](int item, ScratchBuffer & scratch) {
        const int64_t stream = item / parts;
        const int64_t first = item % parts * part_panels;
        const int64_t end = std::min(shape.key_panels, first + part_panels);
        const int64_t key_floats = KEY_BLOCK * pad_to_vectors(shape.key_dim);
        float * memory = scratch.reserve(heads * block_floats + key_floats + KEY_BLOCK * shape.padded_value_dim());
        float * key_buffer = memory + heads * block_floats;
        float * value_buffer = key_buffer + key_floats;
        // One for each KV head. MAX_ROWS_UNPACKED rows fit one query block, whose index is 0.
        std::vector<QueryBlock> blocks;
        for (int64_t head = 0; head < heads; head++) {
            blocks.emplace_back(op, shape, stream, head, 0, memory + head * block_floats);
        }
        // Prefetches the part of the key block from `panel` on that falls to `head`, so that the prefetches of a key
        // block, each for all heads, are spread over the computation of the one before it.
        const auto prefetch_part = [&](int64_t panel, int64_t head) {
            const int64_t keys = ceil_div(KEY_BLOCK, heads);
            const int64_t key = panel * PANEL_COLUMNS + head * keys;
            if (panel < end && key < shape.keys) {
                prefetch(op, stream, key, keys);
            }
        };
        for_each_key_block(mask, stream, 0, first, end, [&](int64_t first_panel, int panels) {
            const int64_t first_key = first_panel * PANEL_COLUMNS;
            const int count = shape.keys_in_panels(first_panel, panels);
            for (int64_t head = 0; head < heads; head++) {
                prefetch_part(first_panel + panels, head);
                const MatrixView keys =
                    padded_rows(head_matrix(op->src[1], stream, head), first_key, count, shape.key_dim, key_buffer);
                const MatrixView values =
                    padded_rows(head_matrix(op->src[2], stream, head), first_key, count, shape.value_dim, value_buffer);
                blocks[head].attend(mask, keys, values, first_panel, panels);
            }
        });
        for (int64_t head = 0; head < heads; head++) {
            if (parts == 1) {
                blocks[head].write_output(op);
            } else {
                std::memcpy(states + (item * heads + head) * state_floats, memory + head * block_floats,
                            state_floats * sizeof(float));
            }
        }
    });
    if (parts == 1) {
        return;
    }
    team.parallel_for(static_cast<int>(shape.streams * heads), [&](int item, ScratchBuffer & scratch) {
        const int64_t stream = item / heads;
        const int64_t head = item % heads;
        QueryBlock block(op, shape, stream, head, 0, scratch.reserve(block_floats));
        for (int64_t part = 0; part < parts; part++) {
            block.merge(states + ((stream * parts + part) * heads + head) * state_floats);
        }
        block.write_output(op);
    });
}

}   // namespace

bool supports_attention(const ggml_tensor * op) {
    const ggml_tensor * q = op->src[0];
    const ggml_tensor * k = op->src[1];
    const ggml_tensor * v = op->src[2];
    const ggml_tensor * mask = op->src[3];
    const ggml_tensor * sinks = op->src[4];
    float max_bias, softcap;
    std::memcpy(&max_bias, op->op_params + 1, sizeof(max_bias));
    std::memcpy(&softcap, op->op_params + 2, sizeof(softcap));
    return q->type == GGML_TYPE_F32 && q->nb[0] == sizeof(float) && is_readable_as_f32(k) && is_readable_as_f32(v) &&
           op->type == GGML_TYPE_F32 && sinks == nullptr && max_bias == 0 && softcap == 0 &&
           (mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1)) && k->ne[2] == v->ne[2] &&
           k->ne[3] == q->ne[3] && v->ne[3] == q->ne[3];
}

void attention(ggml_tensor * op, Team & team) {
    const AttentionShape shape(op);
    const AttentionMask mask(op->src[3], shape, team);
    if (shape.queries * shape.group_size > MAX_ROWS_UNPACKED) {
        attend_packed(op, shape, mask, team);
    } else {
        attend_unpacked(op, shape, mask, team);
    }
}

}   // namespace vcap::kernels
