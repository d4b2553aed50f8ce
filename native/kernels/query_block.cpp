#include "kernels/query_block.h"

#include <cmath>

#include "kernels/dot.h"

namespace vcap::kernels {

QueryBlock::QueryBlock(const ggml_tensor * op, const AttentionShape & shape, int64_t stream, int64_t kv_head,
                       int64_t query_block, float * memory)
    : shape_(shape), stream_(stream), kv_head_(kv_head), query_block_(query_block),
      first_query_(query_block * shape.query_block_queries),
      queries_(static_cast<int>(std::min<int64_t>(shape.query_block_queries, shape.queries - first_query_))),
      rows_(queries_ * shape.group_size), output_(memory),
      running_maximum_(output_ + max_rows(shape) * shape.padded_value_dim()),
      running_sum_(running_maximum_ + max_rows(shape)), q_(running_sum_ + max_rows(shape)),
      scores_(q_ + max_rows(shape) * shape.key_dim) {
    float scale;
    std::memcpy(&scale, op->op_params, sizeof(scale));
    const ggml_tensor * q = op->src[0];
    for (int row = 0; row < rows_; row++) {
        const char * source = static_cast<const char *>(q->data) + (first_query_ + row % queries_) * q->nb[1] +
                              (kv_head * shape.group_size + row / queries_) * q->nb[2] + stream * q->nb[3];
        for (int64_t i = 0; i < shape.key_dim; i++) {
            q_[row * shape.key_dim + i] = reinterpret_cast<const float *>(source)[i] * scale;
        }
    }
    std::fill_n(output_, max_rows(shape) * shape.padded_value_dim(), 0.0f);
    std::fill_n(running_maximum_, max_rows(shape), -INFINITY);
    std::fill_n(running_sum_, max_rows(shape), 0.0f);
}

void QueryBlock::attend(const AttentionMask & mask, const PackedKeyValues & key_values, int64_t first_panel,
                        int panels) {
    const int key_dim = static_cast<int>(shape_.key_dim);
    for (int i = 0; i < panels; i++) {
        multiply_panel(rows_, q_, key_dim, key_values.keys(first_panel + i), PANEL_VECTORS, key_dim,
                       scores_ + i * PANEL_COLUMNS, KEY_BLOCK, false);
    }
    update_softmax(mask, first_panel, panels);
    for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
        const int vectors = std::min(PANEL_VECTORS, shape_.value_vectors - vector);
        multiply_panel(rows_, scores_, KEY_BLOCK, key_values.values(first_panel, vector, vectors), vectors,
                       panels * PANEL_COLUMNS, output_ + vector * LANES, shape_.padded_value_dim(), true);
    }
}

void QueryBlock::attend(const AttentionMask & mask, const MatrixView & keys, const MatrixView & values,
                        int64_t first_panel, int panels) {
    const int count = shape_.keys_in_panels(first_panel, panels);
    dot_rows(keys, count, rows_, q_, shape_.key_dim, shape_.key_dim, scores_, KEY_BLOCK);
    update_softmax(mask, first_panel, panels);
    for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
        const MatrixView columns{values.type, values.data + vector * LANES * ggml_type_size(values.type),
                                 values.stride};
        multiply_unpacked(rows_, scores_, KEY_BLOCK, columns, std::min(PANEL_VECTORS, shape_.value_vectors - vector),
                          count, output_ + vector * LANES, shape_.padded_value_dim(), true);
    }
}

void QueryBlock::update_softmax(const AttentionMask & mask, int64_t first_panel, int panels) {
    for (int i = 0; i < panels; i++) {
        float * scores = scores_ + i * PANEL_COLUMNS;
        if (mask.masks_some(stream_, query_block_, first_panel + i)) {
            add_mask(mask, first_panel + i, scores);
        }
        // A partial panel is filled up with keys that no query sees.
        const int count = shape_.keys_in_panels(first_panel + i, 1);
        for (int row = 0; row < rows_ && count < PANEL_COLUMNS; row++) {
            std::fill(scores + row * KEY_BLOCK + count, scores + row * KEY_BLOCK + PANEL_COLUMNS, -INFINITY);
        }
    }
    for (int row = 0; row < rows_; row++) {
        update_softmax_row(row, panels * PANEL_COLUMNS);
    }
}

void QueryBlock::add_mask(const AttentionMask & mask, int64_t panel, float * scores) const {
    const int count = shape_.keys_in_panels(panel, 1);
    float buffer[PANEL_COLUMNS];
    for (int query = 0; query < queries_; query++) {
        const float * bias =
            mask.matrix(stream_).row_as_f32(first_query_ + query, panel * PANEL_COLUMNS, count, buffer);
        for (int head = 0; head < shape_.group_size; head++) {
            float * row_scores = scores + (head * queries_ + query) * KEY_BLOCK;
            for (int i = 0; i < count; i++) {
                row_scores[i] += bias[i];
            }
        }
    }
}

void QueryBlock::update_softmax_row(int row, int count) {
    float * scores = scores_ + row * KEY_BLOCK;
    Vec lane_maxima = load(scores);
    for (int i = LANES; i < count; i += LANES) {
        lane_maxima = max(lane_maxima, load(scores + i));
    }
    const float maximum = std::max(running_maximum_[row], max_lanes(lane_maxima));
    // The row has seen no key yet. score - m would be infinity minus infinity, which is no number.
    if (maximum == -INFINITY) {
        std::fill_n(scores, count, 0.0f);
        return;
    }
    Vec lane_sums{};
    for (int i = 0; i < count; i += LANES) {
        const Vec e = exp_nonpositive(load(scores + i) - maximum);
        store(scores + i, e);
        lane_sums += e;
    }
    rescale(row, maximum);
    running_sum_[row] += sum_lanes(lane_sums);
}

void QueryBlock::rescale(int row, float maximum) {
    if (maximum <= running_maximum_[row]) {
        return;
    }
    const float factor = std::exp(running_maximum_[row] - maximum);
    float * output = output_ + row * shape_.padded_value_dim();
    for (int i = 0; i < shape_.padded_value_dim(); i += LANES) {
        store(output + i, load(output + i) * factor);
    }
    running_sum_[row] *= factor;
    running_maximum_[row] = maximum;
}

void QueryBlock::merge(const float * state) {
    const int width = shape_.padded_value_dim();
    const float * maxima = state + max_rows(shape_) * width;
    const float * sums = maxima + max_rows(shape_);
    for (int row = 0; row < rows_; row++) {
        if (sums[row] == 0) {
            continue;
        }
        rescale(row, maxima[row]);
        const float factor = std::exp(maxima[row] - running_maximum_[row]);
        for (int i = 0; i < width; i++) {
            output_[row * width + i] += state[row * width + i] * factor;
        }
        running_sum_[row] += sums[row] * factor;
    }
}

void QueryBlock::write_output(ggml_tensor * op) const {
    for (int row = 0; row < rows_; row++) {
        const int64_t query = first_query_ + row % queries_;
        const int64_t head = kv_head_ * shape_.group_size + row / queries_;
        char * destination = static_cast<char *>(op->data) +
                             ((stream_ * shape_.queries + query) * shape_.query_heads + head) * op->nb[1];
        const float factor = running_sum_[row] > 0 ? 1 / running_sum_[row] : 0;
        for (int64_t i = 0; i < shape_.value_dim; i++) {
            reinterpret_cast<float *>(destination)[i] = output_[row * shape_.padded_value_dim() + i] * factor;
        }
    }
}

}   // namespace vcap::kernels
