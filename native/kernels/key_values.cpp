#include "kernels/key_values.h"

#include <cstring>

namespace vcap::kernels {

void KeyValues::unpack(int64_t panel, int64_t place, float * buffer) const {
    const int64_t first = panel * PANEL;
    const int count = static_cast<int>(std::min<int64_t>(PANEL, shape_.keys - first));
    pack_columns(keys_, first, count, 0, static_cast<int>(shape_.key_width), PANEL_VECTORS, const_cast<float *>(keys(place)), buffer);
    for (int key = 0; key < PANEL; key++) {
        const float * row = key < count ? values_.floats(first + key, 0, shape_.value_width, buffer) : nullptr;
        for (int vector = 0; vector < shape_.value_vectors; vector += PANEL_VECTORS) {
            const int vectors = std::min(PANEL_VECTORS, shape_.value_vectors - vector);
            const int columns = vectors * LANES;
            const int64_t there = row == nullptr ? 0 : std::min<int64_t>(columns, shape_.value_width - vector * LANES);
            float * to = const_cast<float *>(values(place, vector, vectors)) + key * columns;
            std::memcpy(to, row + vector * LANES, there * sizeof(float));
            std::fill(to + there, to + columns, 0.0f);
        }
    }
}

}  // namespace vcap::kernels
