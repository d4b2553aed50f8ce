#include "core/vision/llava/tiling.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/error.h"

namespace vcap::llava {
namespace {

void check_size(int width, int height) {
    if (width < 1 || height < 1) {
        throw Error("usage", "An image must have a width and a height of at least 1 pixel, not " +
                                 std::to_string(width) + " x " + std::to_string(height));
    }
}

// One tile an image: its patches, and one newline where the model unpads (LLaVA-1.5 never does).
TileLayout overview_alone(const TileGeometry & geometry) {
    TileLayout layout;
    layout.tokens = geometry.patches_per_tile() + (geometry.aspect == "anyres" && geometry.unpads() ? 1 : 0);
    return layout;
}

TileLayout layout_on_grid(const TileGeometry & geometry, int width, int height, int canvas_width, int canvas_height) {
    TileLayout layout;
    layout.cols = canvas_width / geometry.tile_size;
    layout.rows = canvas_height / geometry.tile_size;

    const double scale_width = static_cast<double>(canvas_width) / width;
    const double scale_height = static_cast<double>(canvas_height) / height;
    if (scale_width < scale_height) {
        layout.resized_width = canvas_width;
        layout.resized_height =
            static_cast<int>(std::min(std::ceil(height * scale_width), static_cast<double>(canvas_height)));
    } else {
        layout.resized_height = canvas_height;
        layout.resized_width =
            static_cast<int>(std::min(std::ceil(width * scale_height), static_cast<double>(canvas_width)));
    }
    layout.pad_left = (canvas_width - layout.resized_width) / 2;
    layout.pad_top = (canvas_height - layout.resized_height) / 2;

    const int side = geometry.patches_per_side();
    layout.kept_cols = side * layout.cols;
    layout.kept_rows = side * layout.rows;
    const int base = geometry.patches_per_tile();
    if (!geometry.unpads()) {
        layout.tokens = base + layout.kept_cols * layout.kept_rows;
        return layout;
    }
    const double grid_cols = layout.kept_cols;
    const double grid_rows = layout.kept_rows;
    if (static_cast<double>(width) / height > grid_cols / grid_rows) {
        const int rows = static_cast<int>(height * (grid_cols / width));
        layout.kept_top = (layout.kept_rows - rows) / 2;
        layout.kept_rows -= 2 * layout.kept_top;
    } else {
        const int cols = static_cast<int>(width * (grid_rows / height));
        layout.kept_left = (layout.kept_cols - cols) / 2;
        layout.kept_cols -= 2 * layout.kept_left;
    }
    layout.tokens = base + layout.kept_rows * (layout.kept_cols + 1);
    return layout;
}

}   // namespace

TileLayout tile_layout(const TileGeometry & geometry, int width, int height, int max_tiles) {
    check_size(width, height);
    // The first grid with the most effective pixels and, among those, the least waste.
    const std::pair<int, int> * best = nullptr;
    int64_t best_effective = 0;
    int64_t best_waste = 0;
    for (const std::pair<int, int> & pinpoint : geometry.pinpoints) {
        const int64_t canvas_width = pinpoint.first;
        const int64_t canvas_height = pinpoint.second;
        if ((canvas_width / geometry.tile_size) * (canvas_height / geometry.tile_size) > max_tiles) {
            continue;
        }
        const double scale =
            std::min(static_cast<double>(canvas_width) / width, static_cast<double>(canvas_height) / height);
        const int64_t scaled = static_cast<int64_t>(width * scale) * static_cast<int64_t>(height * scale);
        const int64_t effective = std::min(scaled, static_cast<int64_t>(width) * height);
        const int64_t waste = canvas_width * canvas_height - effective;
        if (best == nullptr || effective > best_effective || (effective == best_effective && waste < best_waste)) {
            best = &pinpoint;
            best_effective = effective;
            best_waste = waste;
        }
    }
    if (geometry.aspect != "anyres" || best == nullptr) {
        return overview_alone(geometry);
    }
    return layout_on_grid(geometry, width, height, best->first, best->second);
}

TileLayout tile_layout_of_grid(const TileGeometry & geometry, int width, int height, int cols, int rows) {
    check_size(width, height);
    if (cols == 0 && rows == 0) {
        return overview_alone(geometry);
    }
    for (const std::pair<int, int> & pinpoint : geometry.pinpoints) {
        if (pinpoint.first == cols * geometry.tile_size && pinpoint.second == rows * geometry.tile_size) {
            return layout_on_grid(geometry, width, height, pinpoint.first, pinpoint.second);
        }
    }
    throw Error("usage", "This model has no grid of " + std::to_string(cols) + " x " + std::to_string(rows) + " tiles");
}

}   // namespace vcap::llava
