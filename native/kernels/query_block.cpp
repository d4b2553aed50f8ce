#include "kernels/query_block.h"

#include <cmath>

#include "kernels/dot.h"

namespace vcap::kernels {

QueryBlock::QueryBlock(const ggml_tensor * op, const AttentionShape & shape, int64_t stream, int64_t key_head,
                       int64_t block, float * memory)
    : shape_(shape), stream_(stream), key_head_(key_head), block_(block), first_query_(block * shape.block_queries),
      queries_(static_cast<int>(std::min<int64_t>(shape.block_queries, shape.queries - first_query_))),
      rows_(queries_ * shape.share), mixed_(memory), maximum_(mixed_ + rows(shape) * shape.value_floats()),
      sum_(maximum_ + rows(shape)), q_(sum_ + rows(shape)), scores_(q_ + rows(shape) * shape.key_width) {
    float scale;
    std::memcpy(&scale, op->op_params, sizeof(scale));
    const ggml_tensor * q = op->src[0];
    for (int row = 0; row < rows_; row++) {
        const char * from = static_cast<const char *>(q->data) + (first_query_ + row % queries_) * q->nb[1] +
                            (key_head * shape.share + row / queries_) * q->nb[2] + stream * q->nb[3];
        for (int64_t i = 0; i < shape.key_width; i++) {
            q_[row * shape.key_width + i] = reinterpret_cast<const float *>(from)[i] * scale;
        }
    }
    std::fill_n(mixed_, rows(shape) * shape.value_floats(), 0.0f);
    std::fill_n(maximum_, rows(shape), -INFINITY);
    std::fill_n(sum_, rows(shape), 0.0f);
}

void QueryBlock::meet(const AttentionMask & mask, const KeyValues & key_values, int64_t panel, int64_t place,
                      int count) {
    const int width = static_cast<int>(shape_.key_width);
    for (int i = 0; i < count; i++) {
        multiply_panel(rows_, q_, width, key_values.keys(place + i), PANEL_VECTORS, width, scores_ + i * PANEL,
                       GROUP_KEYS, false);
    }
    soften(mask, panel, count);
    for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
        const int vectors = std::min(PANEL_VECTORS, shape_.value_vectors - vector);
        multiply_panel(rows_, scores_, GROUP_KEYS, key_values.values(place, vector, vectors), vectors, count * PANEL,
                       mixed_ + vector * LANES, shape_.value_floats(), true);
    }
}

void QueryBlock::meet(const AttentionMask & mask, const Rows & keys, const Rows & values, int64_t panel, int count) {
    const int there = static_cast<int>(std::min<int64_t>(count * PANEL, shape_.keys - panel * PANEL));
    dot_rows(keys, there, rows_, q_, shape_.key_width, shape_.key_width, scores_, GROUP_KEYS);
    soften(mask, panel, count);
    for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
        const Rows columns{values.type, values.data + vector * LANES * ggml_type_size(values.type), values.stride};
        multiply_rows(rows_, scores_, GROUP_KEYS, columns, std::min(PANEL_VECTORS, shape_.value_vectors - vector),
                      there, mixed_ + vector * LANES, shape_.value_floats(), true);
    }
}

/** Scores of `count` panels from `panel` on become their exponentials, under the highest score seen so far. */
void QueryBlock::soften(const AttentionMask & mask, int64_t panel, int count) {
    for (int i = 0; i < count; i++) {
        float * scores = scores_ + i * PANEL;
        if (mask.hides_some(stream_, block_, panel + i)) {
            add_mask(mask, panel + i, scores);
        }
        const int64_t there = shape_.keys - (panel + i) * PANEL;
        for (int row = 0; row < rows_ && there < PANEL; row++) {
            std::fill(scores + row * GROUP_KEYS + there, scores + row * GROUP_KEYS + PANEL, -INFINITY);
        }
    }
    for (int row = 0; row < rows_; row++) {
        soften_row(row, count * PANEL);
    }
}

void QueryBlock::add_mask(const AttentionMask & mask, int64_t panel, float * scores) const {
    const int count = static_cast<int>(std::min<int64_t>(PANEL, shape_.keys - panel * PANEL));
    float buffer[PANEL];
    for (int query = 0; query < queries_; query++) {
        const float * added = mask.rows(stream_).floats(first_query_ + query, panel * PANEL, count, buffer);
        for (int head = 0; head < shape_.share; head++) {
            float * to = scores + (head * queries_ + query) * GROUP_KEYS;
            for (int i = 0; i < count; i++) {
                to[i] += added[i];
            }
        }
    }
}

void QueryBlock::soften_row(int row, int count) {
    float * scores = scores_ + row * GROUP_KEYS;
    Vec highest = load(scores);
    for (int i = LANES; i < count; i += LANES) {
        highest = max(highest, load(scores + i));
    }
    const float maximum = std::max(maximum_[row], max_lane(highest));
    if (maximum == -INFINITY) {
        std::fill_n(scores, count, 0.0f);
        return;
    }
    Vec sum{};
    for (int i = 0; i < count; i += LANES) {
        const Vec e = exp_negative(load(scores + i) - maximum);
        store(scores + i, e);
        sum += e;
    }
    rescale(row, maximum);
    sum_[row] += sum_lanes(sum);
}

/** What was gathered is brought under a higher maximum. */
void QueryBlock::rescale(int row, float maximum) {
    if (maximum <= maximum_[row]) {
        return;
    }
    const float factor = std::exp(maximum_[row] - maximum);
    float * mixed = mixed_ + row * shape_.value_floats();
    for (int i = 0; i < shape_.value_floats(); i += LANES) {
        store(mixed + i, load(mixed + i) * factor);
    }
    sum_[row] *= factor;
    maximum_[row] = maximum;
}

void QueryBlock::merge(const float * state) {
    const int width = shape_.value_floats();
    const float * maxima = state + rows(shape_) * width;
    const float * sums = maxima + rows(shape_);
    for (int row = 0; row < rows_; row++) {
        if (sums[row] == 0) {
            continue;
        }
        rescale(row, maxima[row]);
        const float factor = std::exp(maxima[row] - maximum_[row]);
        for (int i = 0; i < width; i++) {
            mixed_[row * width + i] += state[row * width + i] * factor;
        }
        sum_[row] += sums[row] * factor;
    }
}

void QueryBlock::finish(ggml_tensor * op) const {
    for (int row = 0; row < rows_; row++) {
        const int64_t query = first_query_ + row % queries_;
        const int64_t head = key_head_ * shape_.share + row / queries_;
        char * to =
            static_cast<char *>(op->data) + ((stream_ * shape_.queries + query) * shape_.heads + head) * op->nb[1];
        const float factor = sum_[row] > 0 ? 1 / sum_[row] : 0;   // a query that sees nothing becomes nothing
        for (int64_t i = 0; i < shape_.value_width; i++) {
            reinterpret_cast<float *>(to)[i] = mixed_[row * shape_.value_floats() + i] * factor;
        }
    }
}

}   // namespace vcap::kernels
