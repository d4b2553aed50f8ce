#include "kernels/matrix_product.h"

#include <algorithm>

#include "kernels/dot.h"

namespace vcap::kernels {
namespace {

// So few rows of activations that packing the weights for them costs more than it saves.
constexpr int64_t FEW_ROWS = 16;
// Weights that one item of work takes then.
constexpr int64_t FEW_ROWS_OUTPUTS = 64;
// Depth of a panel, so that it stays in a core's second cache.
constexpr int64_t DEPTH = 512;
constexpr int64_t ROWS_AT_ONCE = 96;

/** One matrix of a batch of them: weights repeat over the batch. */
struct Plane {
    Rows weights;
    const float * x;
    size_t x_stride;
    float * out;
    size_t out_stride;

    Plane(const ggml_tensor * op, int64_t index) {
        const ggml_tensor * w = op->src[0];
        const ggml_tensor * rows = op->src[1];
        const int64_t i2 = index % op->ne[2];
        const int64_t i3 = index / op->ne[2];
        weights = {w->type,
                   static_cast<const char *>(w->data) + i2 / (op->ne[2] / w->ne[2]) * w->nb[2] +
                       i3 / (op->ne[3] / w->ne[3]) * w->nb[3],
                   w->nb[1]};
        x = reinterpret_cast<const float *>(static_cast<const char *>(rows->data) + i2 * rows->nb[2] +
                                            i3 * rows->nb[3]);
        x_stride = rows->nb[1] / sizeof(float);
        out = reinterpret_cast<float *>(static_cast<char *>(op->data) + i2 * op->nb[2] + i3 * op->nb[3]);
        out_stride = op->nb[1] / sizeof(float);
    }
};

void multiply_few(ggml_tensor * op, Team & team) {
    const int64_t outputs = op->ne[0];
    const int64_t parts = (outputs + FEW_ROWS_OUTPUTS - 1) / FEW_ROWS_OUTPUTS;
    team.each(static_cast<int>(op->ne[2] * op->ne[3] * parts), [&](int item, Scratch &) {
        const Plane plane(op, item / parts);
        const int64_t first = item % parts * FEW_ROWS_OUTPUTS;
        const Rows weights{plane.weights.type, plane.weights.at(first), plane.weights.stride};
        dot_rows(weights, std::min(FEW_ROWS_OUTPUTS, outputs - first), static_cast<int>(op->ne[1]), plane.x,
                 plane.x_stride, op->src[0]->ne[0], plane.out + first, plane.out_stride);
    });
}

void multiply_many(ggml_tensor * op, Team & team) {
    const int64_t depth = op->src[0]->ne[0];
    const int64_t outputs = op->ne[0];
    const int64_t count = op->ne[1];
    const int64_t panels = (outputs + PANEL - 1) / PANEL;
    const int64_t planes = op->ne[2] * op->ne[3];
    // Every thread needs some items; a panel is unpacked again for each part of the rows.
    const int64_t parts =
        std::clamp<int64_t>(4 * team.threads() / (panels * planes), 1, (count + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
    const int64_t part_rows = (count + parts - 1) / parts;

    team.each(static_cast<int>(planes * panels * parts), [&](int item, Scratch & scratch) {
        const Plane plane(op, item / (parts * panels));
        const int64_t first_output = item / parts % panels * PANEL;
        const int64_t first_row = item % parts * part_rows;
        const int64_t end_row = std::min(count, first_row + part_rows);
        const int width = static_cast<int>(std::min<int64_t>(PANEL, outputs - first_output));
        const int vectors = vectors_for(width);
        float * panel = scratch.floats((PANEL + LANES) * DEPTH + ROWS_AT_ONCE * PANEL);
        float * buffer = panel + PANEL * DEPTH;
        float * edge = buffer + LANES * DEPTH;   // results of a panel that is no whole number of vectors

        for (int64_t k = 0; k < depth; k += DEPTH) {
            const int part_depth = static_cast<int>(std::min(DEPTH, depth - k));
            pack_columns(plane.weights, first_output, width, k, part_depth, vectors, panel, buffer);
            for (int64_t row = first_row; row < end_row; row += ROWS_AT_ONCE) {
                const int some = static_cast<int>(std::min(ROWS_AT_ONCE, end_row - row));
                const float * x = plane.x + row * plane.x_stride + k;
                float * out = plane.out + row * plane.out_stride + first_output;
                if (width == vectors * LANES) {
                    multiply_panel(some, x, plane.x_stride, panel, vectors, part_depth, out, plane.out_stride, k > 0);
                    continue;
                }
                multiply_panel(some, x, plane.x_stride, panel, vectors, part_depth, edge, vectors * LANES, false);
                for (int i = 0; i < some; i++) {
                    for (int column = 0; column < width; column++) {
                        out[i * plane.out_stride + column] =
                            edge[i * vectors * LANES + column] + (k > 0 ? out[i * plane.out_stride + column] : 0);
                    }
                }
            }
        }
    });
}

}   // namespace

bool can_multiply(const ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * rows = op->src[1];
    // Quantised weights: for few rows ggml's products of eight bits read less.
    const bool pays = is_loadable(weights->type) || rows->ne[1] > FEW_ROWS;
    return pays && is_readable(weights) && rows->type == GGML_TYPE_F32 && rows->nb[0] == sizeof(float) &&
           op->type == GGML_TYPE_F32 && op->nb[0] == sizeof(float) && weights->ne[1] >= LANES &&
           DEPTH % ggml_blck_size(weights->type) == 0 && op->op_params[1] == GGML_HINT_NONE;
}

void matrix_product(ggml_tensor * op, Team & team) {
    if (op->ne[1] > FEW_ROWS) {
        multiply_many(op, team);
    } else {
        multiply_few(op, team);
    }
}

}   // namespace vcap::kernels
