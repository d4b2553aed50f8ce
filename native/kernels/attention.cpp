#include "kernels/attention.h"

#include <cstring>

#include "kernels/query_block.h"

namespace vcap::kernels {
namespace {

// Keys and values unpacked at a time for many blocks.
constexpr int64_t UNPACKED_FLOATS = 8 << 20;
// So few rows that unpacking keys and values for them costs more than it saves.
constexpr int64_t FEW_ROWS = 16;

/** meet(panel, count) for groups of panels from `first` to `end`, without those that the mask hides. */
template <typename Meet>
void for_each_group(const AttentionMask & mask, int64_t stream, int64_t block, int64_t first, int64_t end,
                    const Meet & meet) {
    for (int64_t panel = first; panel < end;) {
        int count = 0;
        while (count < GROUP_PANELS && panel + count < end && !mask.hides_all(stream, block, panel + count)) {
            count++;
        }
        if (count > 0) {
            meet(panel, count);
        }
        panel += std::max(count, 1);
    }
}

/** Many blocks of queries: keys and values are unpacked once for all of them. */
void attend_blocks(ggml_tensor * op, const AttentionShape & shape, const AttentionMask & mask, Team & team) {
    const int64_t pairs = shape.streams * shape.key_heads;
    const int64_t pair_floats = shape.floats_of_panels(shape.panels);
    const int64_t at_once = std::clamp<int64_t>(UNPACKED_FLOATS / pair_floats, 1, pairs);
    float * memory = team.shared().floats(at_once * pair_floats);
    const auto key_values = [&](int64_t pair) {
        return KeyValues(op, shape, pair / shape.key_heads, pair % shape.key_heads, shape.panels,
                         memory + pair % at_once * pair_floats);
    };
    for (int64_t first = 0; first < pairs; first += at_once) {
        const int64_t count = std::min(at_once, pairs - first);
        team.each(static_cast<int>(count * shape.panels), [&](int item, Scratch & scratch) {
            key_values(first + item / shape.panels)
                .unpack(item % shape.panels, item % shape.panels, scratch.floats(KeyValues::buffer_floats(shape)));
        });
        team.each(static_cast<int>(count * shape.blocks), [&](int item, Scratch & scratch) {
            const int64_t pair = first + item / shape.blocks;
            const int64_t stream = pair / shape.key_heads;
            // Later queries see more keys: the long ones first.
            const int64_t index = shape.blocks - 1 - item % shape.blocks;
            const KeyValues keys = key_values(pair);
            QueryBlock block(op, shape, stream, pair % shape.key_heads, index,
                             scratch.floats(QueryBlock::floats(shape)));
            for_each_group(mask, stream, index, 0, shape.panels,
                           [&](int64_t panel, int some) { block.meet(mask, keys, panel, panel, some); });
            block.finish(op);
        });
    }
}

/** Asks for the keys and values from `first` on, of all heads, before they are used. */
void prefetch(const ggml_tensor * op, int64_t stream, int64_t first, int64_t count) {
    constexpr int64_t cache_line = 64;
    for (const ggml_tensor * tensor : {op->src[1], op->src[2]}) {
        const char * rows = static_cast<const char *>(tensor->data) + stream * tensor->nb[3] + first * tensor->nb[1];
        const int64_t bytes = std::min(count, tensor->ne[1] - first) * static_cast<int64_t>(tensor->nb[1]);
        for (int64_t at = 0; at < bytes; at += cache_line) {
            __builtin_prefetch(rows + at);
        }
    }
}

/** The rows from `first` on as loadable ones of whole vectors: as they stand, or made so in `buffer`, [count, padded
 * width]. */
Rows loadable_rows(const Rows & rows, int64_t first, int count, int64_t width, float * buffer) {
    if (is_loadable(rows.type) && width % LANES == 0) {
        return {rows.type, rows.at(first), rows.stride};
    }
    const int64_t padded = vectors_for(static_cast<int>(width)) * LANES;
    for (int row = 0; row < count; row++) {
        float * to = buffer + row * padded;
        const float * values = rows.floats(first + row, 0, width, to);
        if (values != to) {
            std::memcpy(to, values, width * sizeof(float));
        }
        std::fill(to + width, to + padded, 0.0f);
    }
    return {GGML_TYPE_F32, reinterpret_cast<const char *>(buffer), padded * sizeof(float)};
}

/**
 * Few queries, as in decoding. What counts then is how the cache is read: keys and values are used as they stand, keys
 * are cut into parts for the threads, all heads go through a part together, since their keys lie together, and memory
 * is asked for ahead.
 */
void attend_few(ggml_tensor * op, const AttentionShape & shape, const AttentionMask & mask, Team & team) {
    const int64_t heads = shape.key_heads;
    const int64_t groups = (shape.panels + GROUP_PANELS - 1) / GROUP_PANELS;
    const int64_t wanted_parts = std::clamp<int64_t>(4 * team.threads() / shape.streams, 1, groups);
    const int64_t part_panels = (groups + wanted_parts - 1) / wanted_parts * GROUP_PANELS;
    const int64_t parts = (shape.panels + part_panels - 1) / part_panels;
    const int64_t block_floats = QueryBlock::floats(shape);
    const int64_t state_floats = QueryBlock::state_floats(shape);
    float * states = team.shared().floats(shape.streams * parts * heads * state_floats);
    team.each(static_cast<int>(shape.streams * parts), [&](int item, Scratch & scratch) {
        const int64_t stream = item / parts;
        const int64_t first = item % parts * part_panels;
        const int64_t end = std::min(shape.panels, first + part_panels);
        const int64_t key_floats = GROUP_KEYS * vectors_for(static_cast<int>(shape.key_width)) * LANES;
        float * memory = scratch.floats(heads * block_floats + key_floats + GROUP_KEYS * shape.value_floats());
        float * key_buffer = memory + heads * block_floats;
        float * value_buffer = key_buffer + key_floats;
        std::vector<QueryBlock> blocks;
        for (int64_t head = 0; head < heads; head++) {
            blocks.emplace_back(op, shape, stream, head, 0, memory + head * block_floats);
        }
        const auto prefetch_share = [&](int64_t panel, int64_t head) {
            const int64_t keys = (GROUP_KEYS + heads - 1) / heads;
            const int64_t key = panel * PANEL + head * keys;
            if (panel < end && key < shape.keys) {
                prefetch(op, stream, key, keys);
            }
        };
        for_each_group(mask, stream, 0, first, end, [&](int64_t panel, int count) {
            const int there = static_cast<int>(std::min<int64_t>(count * PANEL, shape.keys - panel * PANEL));
            for (int64_t head = 0; head < heads; head++) {
                prefetch_share(panel + count, head);
                const Rows keys = loadable_rows(head_rows(op->src[1], stream, head), panel * PANEL, there,
                                                shape.key_width, key_buffer);
                const Rows values = loadable_rows(head_rows(op->src[2], stream, head), panel * PANEL, there,
                                                  shape.value_width, value_buffer);
                blocks[head].meet(mask, keys, values, panel, count);
            }
        });
        for (int64_t head = 0; head < heads; head++) {
            if (parts == 1) {
                blocks[head].finish(op);
            } else {
                std::memcpy(states + (item * heads + head) * state_floats, memory + head * block_floats,
                            state_floats * sizeof(float));
            }
        }
    });
    if (parts == 1) {
        return;
    }
    team.each(static_cast<int>(shape.streams * heads), [&](int item, Scratch & scratch) {
        const int64_t stream = item / heads;
        const int64_t head = item % heads;
        QueryBlock block(op, shape, stream, head, 0, scratch.floats(block_floats));
        for (int64_t part = 0; part < parts; part++) {
            block.merge(states + ((stream * parts + part) * heads + head) * state_floats);
        }
        block.finish(op);
    });
}

}   // namespace

bool can_attend(const ggml_tensor * op) {
    const ggml_tensor * q = op->src[0];
    const ggml_tensor * k = op->src[1];
    const ggml_tensor * v = op->src[2];
    const ggml_tensor * mask = op->src[3];
    const ggml_tensor * sinks = op->src[4];
    float max_bias, softcap;
    std::memcpy(&max_bias, op->op_params + 1, sizeof(max_bias));
    std::memcpy(&softcap, op->op_params + 2, sizeof(softcap));
    return q->type == GGML_TYPE_F32 && q->nb[0] == sizeof(float) && is_readable(k) && is_readable(v) &&
           op->type == GGML_TYPE_F32 && sinks == nullptr && max_bias == 0 && softcap == 0 &&
           (mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1)) && k->ne[2] == v->ne[2] &&
           k->ne[3] == q->ne[3] && v->ne[3] == q->ne[3];
}

void attention(ggml_tensor * op, Team & team) {
    const AttentionShape shape(op);
    const AttentionMask mask(op->src[3], shape, team);
    if (shape.queries * shape.share > FEW_ROWS) {
        attend_blocks(op, shape, mask, team);
    } else {
        attend_few(op, shape, mask, team);
    }
}

}   // namespace vcap::kernels
