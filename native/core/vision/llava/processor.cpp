#include "core/vision/llava/processor.h"

#include <algorithm>
#include <climits>
#include <functional>
#include <set>

#include "core/vision/llava/cut.h"
#include "core/vision/llava/pack.h"

namespace vcap::llava {

namespace {

/** Additions and multiplications of one tile: every matrix product, and the products of attention. */
double tile_operations(const Config & config) {
    const double d = config.embedding;
    const double positions = config.positions();
    const double patch = 3.0 * config.geometry.patch_size * config.geometry.patch_size;
    const double block = 2 * positions * (4 * d * d + 2 * d * config.feed_forward) + 4 * positions * positions * d;
    const double width = config.feature_width;
    return config.blocks * block + 2 * config.patches() * (patch * d + d * width + width * width);
}

}   // namespace

Processor::Processor(Config config) : config_(std::move(config)) {
    const TileGeometry & geometry = config_.geometry;
    facts_ = {geometry.tile_size, geometry.patch_size,   geometry.pinpoints, geometry.aspect,
              geometry.merge,     config_.feature_width, config_.warnings,   tile_operations(config_)};
}

size_t Processor::tile_bytes() const { return 3ull * config_.geometry.tile_size * config_.geometry.tile_size; }

/** The bounds on a grid's tiles to try, the most first. A bound of 0 leaves the overview alone. */
std::vector<int> Processor::grid_bounds(Detail detail) const {
    if (detail == Detail::overview) return {0};
    if (detail == Detail::full) return {INT_MAX};
    const TileGeometry & geometry = config_.geometry;
    std::set<int, std::greater<int>> bounds{0};
    for (const auto & [width, height] : geometry.pinpoints) {
        bounds.insert((width / geometry.tile_size) * (height / geometry.tile_size));
    }
    return {bounds.begin(), bounds.end()};
}

std::vector<ImageLayout> Processor::fit(const std::vector<Size> & sizes, Detail detail, int64_t room) const {
    std::vector<ImageLayout> layouts;
    for (const int bound : grid_bounds(detail)) {
        layouts.clear();
        int64_t tokens = 0;
        for (const Size & size : sizes) {
            const TileLayout layout = tile_layout(config_.geometry, size.width, size.height, bound);
            layouts.push_back({size, layout.cols, layout.rows, layout.tiles(), layout.tokens});
            tokens += layout.tokens;
        }
        if (tokens <= room) break;
    }
    return layouts;
}

TileLayout Processor::tiling(const ImageLayout & layout) const {
    return tile_layout_of_grid(config_.geometry, layout.size.width, layout.size.height, layout.cols, layout.rows);
}

std::vector<uint8_t> Processor::cut(const Picture & picture, const ImageLayout & layout) const {
    return cut_tiles(config_.geometry, picture, tiling(layout));
}

std::vector<int> Processor::order(const ImageLayout & layout) const {
    return pack_order(config_.geometry, tiling(layout));
}

}   // namespace vcap::llava
