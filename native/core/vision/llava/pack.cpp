#include "core/vision/llava/pack.h"

#include <string>

#include "core/error.h"
#include "core/vision/vision.h"

namespace vcap::llava {

std::vector<int> pack_order(const TileGeometry & geometry, const TileLayout & layout) {
    const int side = geometry.patches_per_side();
    const int base = geometry.patches_per_tile();
    std::vector<int> order;
    order.reserve(layout.tokens);
    for (int i = 0; i < base; i++) {
        order.push_back(i);
    }
    if (layout.cols == 0) {
        if (layout.tokens > base) {
            order.push_back(NEWLINE);
        }
        return order;
    }
    if (geometry.merge == "flat") {
        for (int i = base; i < layout.tiles() * base; i++) {
            order.push_back(i);
        }
        return order;
    }
    for (int row = layout.kept_top; row < layout.kept_top + layout.kept_rows; row++) {
        for (int col = layout.kept_left; col < layout.kept_left + layout.kept_cols; col++) {
            const int tile = 1 + (row / side) * layout.cols + col / side;
            order.push_back(tile * base + (row % side) * side + col % side);
        }
        if (geometry.unpads()) {
            order.push_back(NEWLINE);
        }
    }
    return order;
}

int pooled_side(const TileGeometry & geometry, const Pooling & pooling) {
    const int side = geometry.patches_per_side();
    const int whole = side / pooling.stride;
    const int pooled = pooling.mode == PoolMode::bilinear && side % pooling.stride != 0 ? whole + 1 : whole;
    if (pooling.stride < 1 || pooled < 1) {
        throw Error("usage", "A tile of this model has " + std::to_string(side) + " x " + std::to_string(side) +
                                 " patches, which cannot be pooled by " + std::to_string(pooling.stride));
    }
    return pooled;
}

std::vector<int> pooled_order(const TileGeometry & geometry, const Pooling & pooling) {
    const int side = pooled_side(geometry, pooling);
    std::vector<int> order;
    order.reserve(static_cast<size_t>(side) * (side + 1) + 1);
    for (int i = 0; i < side * side; i++) {
        order.push_back(i);
        const bool ends_row = (i + 1) % side == 0;
        const bool ends_frame = i + 1 == side * side;
        if ((pooling.newline == NewlinePlace::row && ends_row) ||
            (pooling.newline == NewlinePlace::frame && ends_frame)) {
            order.push_back(NEWLINE);
        }
    }
    return order;
}

}   // namespace vcap::llava
