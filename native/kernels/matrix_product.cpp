#include "kernels/matrix_product.h"

#include <algorithm>

#include "kernels/dot.h"

namespace vcap::kernels {
namespace {

// With at most this many rows of activations, packing the weights costs more than it saves.
constexpr int64_t MAX_ROWS_UNPACKED = 16;
// Outputs that one work item computes for so few rows.
constexpr int64_t ITEM_OUTPUTS = 64;
// Rows of a packed panel of weights, few enough that it stays in a core's level 2 cache.
constexpr int64_t PANEL_DEPTH = 512;
// Rows of activations that are multiplied with a panel at a time.
constexpr int64_t ROW_BLOCK = 96;

/** The operands and the result of one matrix of the batch. */
struct BatchMatrix {
    MatrixView weights;   // [outputs, depth]
    const float * x;      // the activations, [rows, depth]
    size_t x_stride;      // floats from one row to the next
    float * out;          // [rows, outputs]
    size_t out_stride;    // floats from one row to the next

    BatchMatrix(const ggml_tensor * op, int64_t index) {
        const ggml_tensor * w = op->src[0];
        const ggml_tensor * activations = op->src[1];
        const int64_t i2 = index % op->ne[2];
        const int64_t i3 = index / op->ne[2];
        weights = {w->type,
                   static_cast<const char *>(w->data) + i2 / (op->ne[2] / w->ne[2]) * w->nb[2] +
                       i3 / (op->ne[3] / w->ne[3]) * w->nb[3],
                   w->nb[1]};
        x = reinterpret_cast<const float *>(static_cast<const char *>(activations->data) + i2 * activations->nb[2] +
                                            i3 * activations->nb[3]);
        x_stride = activations->nb[1] / sizeof(float);
        out = reinterpret_cast<float *>(static_cast<char *>(op->data) + i2 * op->nb[2] + i3 * op->nb[3]);
        out_stride = op->nb[1] / sizeof(float);
    }
};

/** The product for few rows: the weights are read once, where they lie. They are of a floating-point type. */
void multiply_unpacked_weights(ggml_tensor * op, Team & team) {
    const int64_t outputs = op->ne[0];
    const int64_t output_parts = ceil_div(outputs, ITEM_OUTPUTS);
    const int64_t batch = op->ne[2] * op->ne[3];
    team.parallel_for(static_cast<int>(batch * output_parts), [&](int item, ScratchBuffer &) {
        const BatchMatrix matrix(op, item / output_parts);
        const int64_t first = item % output_parts * ITEM_OUTPUTS;
        dot_rows(matrix.weights.rows_from(first), std::min(ITEM_OUTPUTS, outputs - first), static_cast<int>(op->ne[1]),
                 matrix.x, matrix.x_stride, op->src[0]->ne[0], matrix.out + first, matrix.out_stride);
    });
}

/**
 * The product for many rows: a work item packs the weights of PANEL_COLUMNS outputs and multiplies all rows, or a part
 * of them, with these.
 */
void multiply_packed_weights(ggml_tensor * op, Team & team) {
    const int64_t depth = op->src[0]->ne[0];
    const int64_t outputs = op->ne[0];
    const int64_t rows = op->ne[1];
    const int64_t batch = op->ne[2] * op->ne[3];
    const int64_t panels = ceil_div(outputs, PANEL_COLUMNS);
    // The rows are split only where the panels alone give each thread too few items to balance the load, since every
    // part packs its panel again.
    const int64_t row_parts = std::clamp<int64_t>(4 * team.threads() / (panels * batch), 1, ceil_div(rows, ROW_BLOCK));
    const int64_t part_rows = ceil_div(rows, row_parts);

    team.parallel_for(static_cast<int>(batch * panels * row_parts), [&](int item, ScratchBuffer & scratch) {
        const BatchMatrix matrix(op, item / (row_parts * panels));
        const int64_t first_output = item / row_parts % panels * PANEL_COLUMNS;
        const int64_t first_row = item % row_parts * part_rows;
        const int64_t end_row = std::min(rows, first_row + part_rows);
        const int width = static_cast<int>(std::min<int64_t>(PANEL_COLUMNS, outputs - first_output));
        const int vectors = vectors_for(width);
        const int padded_width = vectors * LANES;
        float * panel = scratch.reserve((PANEL_COLUMNS + LANES) * PANEL_DEPTH + ROW_BLOCK * PANEL_COLUMNS);
        float * pack_buffer = panel + PANEL_COLUMNS * PANEL_DEPTH;
        // Products of a panel whose columns do not fill whole vectors, [ROW_BLOCK, padded_width].
        float * padded_out = pack_buffer + LANES * PANEL_DEPTH;

        for (int64_t k = 0; k < depth; k += PANEL_DEPTH) {
            const int panel_depth = static_cast<int>(std::min(PANEL_DEPTH, depth - k));
            pack_panel(matrix.weights, first_output, width, k, panel_depth, vectors, panel, pack_buffer);
            for (int64_t row = first_row; row < end_row; row += ROW_BLOCK) {
                const int block_rows = static_cast<int>(std::min(ROW_BLOCK, end_row - row));
                const float * x = matrix.x + row * matrix.x_stride + k;
                float * out = matrix.out + row * matrix.out_stride + first_output;
                if (width == padded_width) {
                    multiply_panel(block_rows, x, matrix.x_stride, panel, vectors, panel_depth, out, matrix.out_stride,
                                   k > 0);
                    continue;
                }
                multiply_panel(block_rows, x, matrix.x_stride, panel, vectors, panel_depth, padded_out, padded_width,
                               false);
                for (int i = 0; i < block_rows; i++) {
                    for (int column = 0; column < width; column++) {
                        float & element = out[i * matrix.out_stride + column];
                        element = padded_out[i * padded_width + column] + (k > 0 ? element : 0);
                    }
                }
            }
        }
    });
}

}   // namespace

bool supports_matrix_product(const ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * activations = op->src[1];
    // Few rows with quantised weights stay with ggml: its products of 8-bit integers read fewer bytes.
    const bool is_worth_it = is_floating_point(weights->type) || activations->ne[1] > MAX_ROWS_UNPACKED;
    return is_worth_it && is_readable_as_f32(weights) && activations->type == GGML_TYPE_F32 &&
           activations->nb[0] == sizeof(float) && op->type == GGML_TYPE_F32 && op->nb[0] == sizeof(float) &&
           weights->ne[1] >= LANES && PANEL_DEPTH % ggml_blck_size(weights->type) == 0 &&
           op->op_params[1] == GGML_HINT_NONE;
}

void matrix_product(ggml_tensor * op, Team & team) {
    if (op->ne[1] > MAX_ROWS_UNPACKED) {
        multiply_packed_weights(op, team);
    } else {
        multiply_unpacked_weights(op, team);
    }
}

}   // namespace vcap::kernels
