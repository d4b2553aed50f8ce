#include "kernels/matrix_product.h"

#include <algorithm>

#include "kernels/panel.h"

namespace vcap::kernels {
namespace {

// Fewer rows of activations do not pay for unpacking the weights.
constexpr int64_t MIN_ROWS = 24;
// Depth of a panel, so that it stays in a core's second cache.
constexpr int64_t DEPTH = 512;
constexpr int64_t ROWS_AT_ONCE = 96;

}  // namespace

bool can_multiply(const ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * rows = op->src[1];
    const bool readable = weights->type == GGML_TYPE_F32 || ggml_get_type_traits(weights->type)->to_float != nullptr;
    return readable && weights->nb[0] == ggml_type_size(weights->type) && rows->type == GGML_TYPE_F32 && rows->nb[0] == sizeof(float) &&
           op->type == GGML_TYPE_F32 && op->nb[0] == sizeof(float) && rows->ne[1] >= MIN_ROWS && weights->ne[1] >= LANES &&
           DEPTH % ggml_blck_size(weights->type) == 0 && op->op_params[1] == GGML_HINT_NONE;
}

void matrix_product(ggml_tensor * op, Team & team) {
    const ggml_tensor * weights = op->src[0];
    const ggml_tensor * rows = op->src[1];
    const int64_t depth = weights->ne[0];
    const int64_t outputs = weights->ne[1];
    const int64_t count = rows->ne[1];
    const int64_t panels = (outputs + PANEL - 1) / PANEL;
    const int64_t planes = op->ne[2] * op->ne[3];
    // Every thread needs some items; a panel is unpacked again for each part of the rows.
    const int64_t parts = std::clamp<int64_t>(4 * team.threads() / (panels * planes), 1, (count + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
    const int64_t part_rows = (count + parts - 1) / parts;

    team.each(static_cast<int>(planes * panels * parts), [&](int item, Scratch & scratch) {
        const int64_t part = item % parts;
        const int64_t first_output = item / parts % panels * PANEL;
        const int64_t i2 = item / (parts * panels) % op->ne[2];
        const int64_t i3 = item / (parts * panels) / op->ne[2];
        const int width = static_cast<int>(std::min<int64_t>(PANEL, outputs - first_output));
        const int vectors = vectors_for(width);
        const bool whole = width == vectors * LANES;
        const int64_t first_row = part * part_rows;
        const int64_t end_row = std::min(count, first_row + part_rows);

        float * panel = scratch.floats((PANEL + LANES) * DEPTH + ROWS_AT_ONCE * PANEL);
        float * buffer = panel + PANEL * DEPTH;
        float * edge = buffer + LANES * DEPTH;   // results of a panel that is no whole number of vectors
        const Rows source{weights->type, static_cast<const char *>(weights->data) + i2 / (op->ne[2] / weights->ne[2]) * weights->nb[2] + i3 / (op->ne[3] / weights->ne[3]) * weights->nb[3], weights->nb[1]};
        const char * a = static_cast<const char *>(rows->data) + i2 * rows->nb[2] + i3 * rows->nb[3];
        char * c = static_cast<char *>(op->data) + i2 * op->nb[2] + i3 * op->nb[3] + first_output * sizeof(float);

        for (int64_t k = 0; k < depth; k += DEPTH) {
            const int part_depth = static_cast<int>(std::min(DEPTH, depth - k));
            pack_columns(source, first_output, width, k, part_depth, vectors, panel, buffer);
            for (int64_t row = first_row; row < end_row; row += ROWS_AT_ONCE) {
                const int some = static_cast<int>(std::min(ROWS_AT_ONCE, end_row - row));
                const float * from = reinterpret_cast<const float *>(a + row * rows->nb[1]) + k;
                float * to = reinterpret_cast<float *>(c + row * op->nb[1]);
                if (whole) {
                    multiply_panel(some, from, rows->nb[1] / sizeof(float), panel, vectors, part_depth, to, op->nb[1] / sizeof(float), k > 0);
                    continue;
                }
                multiply_panel(some, from, rows->nb[1] / sizeof(float), panel, vectors, part_depth, edge, PANEL, false);
                for (int i = 0; i < some; i++) {
                    float * row_to = to + i * (op->nb[1] / sizeof(float));
                    for (int column = 0; column < width; column++) {
                        row_to[column] = edge[i * PANEL + column] + (k > 0 ? row_to[column] : 0);
                    }
                }
            }
        }
    });
}

}  // namespace vcap::kernels
