#include "kernels/key_values.h"

#include <cstring>

namespace vcap::kernels {

void PackedKeyValues::pack(int64_t panel, float * buffer) const {
    const int64_t first_key = panel * PANEL_COLUMNS;
    const int count = shape_.keys_in_panels(panel, 1);
    pack_panel(keys_, first_key, count, 0, static_cast<int>(shape_.key_dim), PANEL_VECTORS, key_panel(panel), buffer);
    // Calls function(destination [PANEL_COLUMNS, columns], first column, columns) for each part of the values.
    const auto for_each_value_part = [&](const auto & function) {
        for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
            const int vectors = std::min(PANEL_VECTORS, shape_.value_vectors - vector);
            function(value_panel(panel, vector, vectors), vector * LANES, vectors * LANES);
        }
    };
    for (int key = 0; key < count; key++) {
        const float * value = values_.row_as_f32(first_key + key, 0, shape_.value_dim, buffer);
        for_each_value_part([&](float * destination, int first_column, int columns) {
            const int64_t filled = std::min<int64_t>(columns, shape_.value_dim - first_column);
            std::memcpy(destination + key * columns, value + first_column, filled * sizeof(float));
            std::fill(destination + key * columns + filled, destination + (key + 1) * columns, 0.0f);
        });
    }
    for_each_value_part([&](float * destination, int, int columns) {
        std::fill(destination + count * columns, destination + PANEL_COLUMNS * columns, 0.0f);
    });
}

}   // namespace vcap::kernels
