#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ggml-cpu.h"
#include "kernels/panel.h"

namespace vcap::kernels {
namespace {

// Rows of a block of queries, the heads that share keys together, and the keys it meets at a time.
constexpr int BLOCK_ROWS = 96;
constexpr int GROUP_PANELS = 256 / PANEL;
constexpr int GROUP_KEYS = GROUP_PANELS * PANEL;
// Keys and values unpacked at a time.
constexpr int64_t UNPACKED_FLOATS = 8 << 20;
constexpr int MIN_ROWS = 8;

enum class Masked : uint8_t { whole, partly, not_at_all };

struct Shape {
    int64_t key_width, value_width, queries, keys, heads, key_heads, streams;
    int share;           // query heads of a key head
    int64_t panels;      // of keys
    int value_vectors;   // of a row of values, in all its panels
    int block_queries;   // of each head
    int64_t blocks;      // of queries

    explicit Shape(const ggml_tensor * op) {
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
        block_queries = static_cast<int>(std::clamp<int64_t>(BLOCK_ROWS / share, 1, queries));
        blocks = (queries + block_queries - 1) / block_queries;
    }

    int64_t keys_floats() const { return panels * PANEL * key_width; }
    int64_t values_floats() const { return panels * PANEL * value_vectors * LANES; }
};

/** What is masked of each panel of keys for each block of queries: [streams, blocks, panels]. */
std::vector<Masked> read_mask(const ggml_tensor * mask, const Shape & shape, Team & team) {
    std::vector<Masked> masked(shape.streams * shape.blocks * shape.panels, Masked::not_at_all);
    if (mask == nullptr) {
        return masked;
    }
    team.each(static_cast<int>(shape.streams * shape.blocks), [&](int item, Scratch &) {
        const int64_t stream = item / shape.blocks;
        const int64_t first = item % shape.blocks * shape.block_queries;
        const int64_t end = std::min(shape.queries, first + shape.block_queries);
        for (int64_t panel = 0; panel < shape.panels; panel++) {
            const int64_t key = panel * PANEL;
            const int count = static_cast<int>(std::min<int64_t>(PANEL, shape.keys - key));
            bool some = false;
            bool all = true;
            for (int64_t query = first; query < end; query++) {
                const auto * row = reinterpret_cast<const uint16_t *>(static_cast<const char *>(mask->data) + stream % mask->ne[3] * mask->nb[3] + query * mask->nb[1]) + key;
                uint16_t any = 0;
                uint16_t differs = 0;
                for (int i = 0; i < count; i++) {
                    any |= row[i];
                    differs |= row[i] ^ 0xFC00;   // minus infinity
                }
                some |= any != 0;
                all &= differs == 0;
            }
            masked[item * shape.panels + panel] = all ? Masked::whole : some ? Masked::partly : Masked::not_at_all;
        }
    });
    return masked;
}

Rows rows_of(const ggml_tensor * tensor, int64_t head, int64_t stream) {
    return {tensor->type, static_cast<const char *>(tensor->data) + head * tensor->nb[2] + stream * tensor->nb[3], tensor->nb[1]};
}

/** Values in panels of columns, [panel of columns][keys, padded][its columns]; zeros beyond the last key. */
void pack_values(const Rows & values, const Shape & shape, int64_t panel, float * to, float * buffer) {
    const int64_t padded = shape.panels * PANEL;
    const int64_t width = shape.value_width;
    for (int64_t key = panel * PANEL; key < (panel + 1) * PANEL; key++) {
        const float * row = key < shape.keys ? values.floats(key, 0, width, buffer) : nullptr;
        for (int vector = 0; vector < shape.value_vectors; vector += PANEL_VECTORS) {
            const int columns = std::min(PANEL_VECTORS, shape.value_vectors - vector) * LANES;
            float * out = to + vector * LANES * padded + key * columns;
            for (int column = 0; column < columns; column++) {
                const int64_t from = vector * LANES + column;
                out[column] = row != nullptr && from < width ? row[from] : 0;
            }
        }
    }
}

/** Attention of one block of queries, of all heads that share a key head. */
class Block {
public:
    Block(const ggml_tensor * op, const Shape & shape, int64_t stream, int64_t key_head, int64_t block, Scratch & scratch)
        : shape_(shape),
          mask_(op->src[3]),
          stream_(stream),
          first_query_(block * shape.block_queries),
          queries_(static_cast<int>(std::min<int64_t>(shape.block_queries, shape.queries - first_query_))),
          rows_(queries_ * shape.share),
          value_floats_(shape.value_vectors * LANES) {
        q_ = scratch.floats(rows_ * (shape.key_width + GROUP_KEYS + value_floats_ + 2));
        scores_ = q_ + rows_ * shape.key_width;
        mixed_ = scores_ + rows_ * GROUP_KEYS;
        maximum_ = mixed_ + rows_ * value_floats_;
        sum_ = maximum_ + rows_;
        float scale;
        std::memcpy(&scale, op->op_params, sizeof(scale));
        const ggml_tensor * q = op->src[0];
        for (int row = 0; row < rows_; row++) {
            const auto * from = reinterpret_cast<const float *>(static_cast<const char *>(q->data) + (first_query_ + row % queries_) * q->nb[1] +
                                                               (key_head * shape.share + row / queries_) * q->nb[2] + stream * q->nb[3]);
            for (int64_t i = 0; i < shape.key_width; i++) {
                q_[row * shape.key_width + i] = from[i] * scale;
            }
        }
        std::fill_n(mixed_, rows_ * value_floats_, 0.0f);
        std::fill_n(maximum_, rows_, -INFINITY);
        std::fill_n(sum_, rows_, 0.0f);
    }

    /** Takes `count` panels of keys from `first` on. */
    void meet(int64_t first, int count, const Masked * masked, const float * keys, const float * values) {
        for (int i = 0; i < count; i++) {
            float * scores = scores_ + i * PANEL;
            multiply_panel(rows_, q_, shape_.key_width, keys + (first + i) * PANEL * shape_.key_width, PANEL_VECTORS, static_cast<int>(shape_.key_width), scores, GROUP_KEYS, false);
            if (masked[first + i] == Masked::partly) {
                add_mask((first + i) * PANEL, scores);
            }
            if ((first + i + 1) * PANEL > shape_.keys) {
                for (int row = 0; row < rows_; row++) {
                    std::fill(scores + row * GROUP_KEYS + shape_.keys - (first + i) * PANEL, scores + row * GROUP_KEYS + PANEL, -INFINITY);
                }
            }
        }
        for (int row = 0; row < rows_; row++) {
            soften(row, count);
        }
        const int64_t padded = shape_.panels * PANEL;
        for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
            const int vectors = std::min(PANEL_VECTORS, shape_.value_vectors - vector);
            multiply_panel(rows_, scores_, GROUP_KEYS, values + vector * LANES * padded + first * PANEL * vectors * LANES, vectors, count * PANEL, mixed_ + vector * LANES, value_floats_, true);
        }
    }

    void finish(ggml_tensor * op, int64_t key_head) const {
        for (int row = 0; row < rows_; row++) {
            const int64_t query = first_query_ + row % queries_;
            const int64_t head = key_head * shape_.share + row / queries_;
            auto * to = reinterpret_cast<float *>(static_cast<char *>(op->data) + ((stream_ * shape_.queries + query) * shape_.heads + head) * op->nb[1]);
            const float factor = sum_[row] > 0 ? 1 / sum_[row] : 0;   // a query that sees nothing becomes nothing
            for (int64_t i = 0; i < shape_.value_width; i++) {
                to[i] = mixed_[row * value_floats_ + i] * factor;
            }
        }
    }

private:
    void add_mask(int64_t key, float * scores) const {
        const int count = static_cast<int>(std::min<int64_t>(PANEL, shape_.keys - key));
        float added[PANEL];
        for (int query = 0; query < queries_; query++) {
            const char * row = static_cast<const char *>(mask_->data) + stream_ % mask_->ne[3] * mask_->nb[3] + (first_query_ + query) * mask_->nb[1];
            ggml_cpu_fp16_to_fp32(reinterpret_cast<const ggml_fp16_t *>(row) + key, added, count);
            for (int head = 0; head < shape_.share; head++) {
                float * to = scores + (head * queries_ + query) * GROUP_KEYS;
                for (int i = 0; i < count; i++) {
                    to[i] += added[i];
                }
            }
        }
    }

    /** Scores of `count` panels become their exponentials; what was summed before is brought to the new maximum. */
    void soften(int row, int count) {
        float * scores = scores_ + row * GROUP_KEYS;
        Vec highest = load(scores);
        for (int i = LANES; i < count * PANEL; i += LANES) {
            highest = max(highest, load(scores + i));
        }
        const float maximum = std::max(maximum_[row], max_lane(highest));
        if (maximum == -INFINITY) {
            std::fill_n(scores, count * PANEL, 0.0f);
            return;
        }
        Vec sum{};
        for (int i = 0; i < count * PANEL; i += LANES) {
            const Vec e = exp_negative(load(scores + i) - maximum);
            store(scores + i, e);
            sum += e;
        }
        if (maximum > maximum_[row]) {
            const float factor = std::exp(maximum_[row] - maximum);
            sum_[row] *= factor;
            for (int i = 0; i < value_floats_; i += LANES) {
                store(mixed_ + row * value_floats_ + i, load(mixed_ + row * value_floats_ + i) * factor);
            }
            maximum_[row] = maximum;
        }
        sum_[row] += sum_lanes(sum);
    }

    const Shape & shape_;
    const ggml_tensor * mask_;
    int64_t stream_;
    int64_t first_query_;
    int queries_;
    int rows_;
    int value_floats_;
    float * q_;         // [rows, key width], scaled; a row is a query of a head, head by head
    float * scores_;    // [rows, GROUP_KEYS]
    float * mixed_;     // [rows, value_floats]
    float * maximum_;
    float * sum_;
};

}  // namespace

bool can_attend(const ggml_tensor * op) {
    const ggml_tensor * q = op->src[0];
    const ggml_tensor * k = op->src[1];
    const ggml_tensor * v = op->src[2];
    const ggml_tensor * mask = op->src[3];
    const auto readable = [](const ggml_tensor * rows) {
        return (rows->type == GGML_TYPE_F32 || ggml_get_type_traits(rows->type)->to_float != nullptr) && rows->nb[0] == ggml_type_size(rows->type);
    };
    float max_bias, softcap;
    std::memcpy(&max_bias, op->op_params + 1, sizeof(max_bias));
    std::memcpy(&softcap, op->op_params + 2, sizeof(softcap));
    return q->type == GGML_TYPE_F32 && q->nb[0] == sizeof(float) && readable(k) && readable(v) && (mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1)) &&
           op->src[4] == nullptr && max_bias == 0 && softcap == 0 && op->type == GGML_TYPE_F32 && k->ne[2] == v->ne[2] && k->ne[3] == q->ne[3] && v->ne[3] == q->ne[3] &&
           q->ne[1] >= MIN_ROWS;
}

void attention(ggml_tensor * op, Team & team) {
    const Shape shape(op);
    const std::vector<Masked> masked = read_mask(op->src[3], shape, team);
    const int64_t pairs = shape.streams * shape.key_heads;
    const int64_t pair_floats = shape.keys_floats() + shape.values_floats();
    const int64_t at_once = std::clamp<int64_t>(UNPACKED_FLOATS / pair_floats, 1, pairs);
    float * unpacked = team.shared().floats(at_once * pair_floats);

    for (int64_t first = 0; first < pairs; first += at_once) {
        const int64_t count = std::min(at_once, pairs - first);
        team.each(static_cast<int>(count * shape.panels), [&](int item, Scratch & scratch) {
            const int64_t pair = first + item / shape.panels;
            const int64_t panel = item % shape.panels;
            float * keys = unpacked + (pair - first) * pair_floats;
            float * buffer = scratch.floats(PANEL * shape.key_width + shape.value_width);
            const int width = static_cast<int>(std::min<int64_t>(PANEL, shape.keys - panel * PANEL));
            pack_columns(rows_of(op->src[1], pair % shape.key_heads, pair / shape.key_heads), panel * PANEL, width, 0, static_cast<int>(shape.key_width), PANEL_VECTORS, keys + panel * PANEL * shape.key_width, buffer);
            pack_values(rows_of(op->src[2], pair % shape.key_heads, pair / shape.key_heads), shape, panel, keys + shape.keys_floats(), buffer);
        });
        team.each(static_cast<int>(count * shape.blocks), [&](int item, Scratch & scratch) {
            const int64_t pair = first + item / shape.blocks;
            // Later queries see more keys: the long ones first.
            const int64_t block_index = shape.blocks - 1 - item % shape.blocks;
            const int64_t stream = pair / shape.key_heads;
            const int64_t key_head = pair % shape.key_heads;
            const float * keys = unpacked + (pair - first) * pair_floats;
            const Masked * block_masked = masked.data() + (stream * shape.blocks + block_index) * shape.panels;
            Block block(op, shape, stream, key_head, block_index, scratch);
            for (int64_t panel = 0; panel < shape.panels;) {
                int some = 0;
                while (some < GROUP_PANELS && panel + some < shape.panels && block_masked[panel + some] != Masked::whole) {
                    some++;
                }
                if (some > 0) {
                    block.meet(panel, some, block_masked, keys, keys + shape.keys_floats());
                }
                panel += std::max(some, 1);
            }
            block.finish(op, key_head);
        });
    }
}

}  // namespace vcap::kernels
