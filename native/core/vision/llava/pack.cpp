#include "core/vision/llava/pack.h"

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

}   // namespace vcap::llava
