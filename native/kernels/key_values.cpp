#include "kernels/key_values.h"

#include <cstring>

namespace vcap::kernels {

void KeyValues::unpack(int64_t panel, int64_t place, float * buffer) const {
    const int64_t first = panel * PANEL;
    const int count = static_cast<int>(std::min<int64_t>(PANEL, shape_.keys - first));
    pack_columns(keys_, first, count, 0, static_cast<int>(shape_.key_width), PANEL_VECTORS, key_place(place), buffer);
    const auto each_panel = [&](const auto & visit) {
        for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
            const int vectors = std::min(PANEL_VECTORS, shape_.value_vectors - vector);
            visit(value_place(place, vector, vectors), vector * LANES, vectors * LANES);
        }
    };
    for (int key = 0; key < count; key++) {
        const float * row = values_.floats(first + key, 0, shape_.value_width, buffer);
        each_panel([&](float * to, int column, int columns) {
            const int64_t there = std::min<int64_t>(columns, shape_.value_width - column);
            std::memcpy(to + key * columns, row + column, there * sizeof(float));
            std::fill(to + key * columns + there, to + (key + 1) * columns, 0.0f);
        });
    }
    each_panel([&](float * to, int, int columns) { std::fill(to + count * columns, to + PANEL * columns, 0.0f); });
}

}   // namespace vcap::kernels
