#include "core/vision/llava/processor.h"

#include <algorithm>
#include <climits>
#include <functional>
#include <set>

#include "core/error.h"
#include "core/vision/llava/cut.h"
#include "core/vision/llava/pack.h"

namespace vcap::llava {

namespace {

// Beyond it little is left of a frame: 36 features of a tile of 336 pixels.
constexpr int MAX_STRIDE = 4;

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
    facts_ = {geometry.tile_size, geometry.patch_size,     geometry.pinpoints, geometry.aspect,
              geometry.merge,     config_.feature_width,   config_.warnings,   tile_operations(config_),
              config_.pooling,    !config_.newline.empty()};
}

size_t Processor::tile_bytes() const { return 3ull * config_.geometry.tile_size * config_.geometry.tile_size; }

int Processor::features_per_tile(const Pooling & pooling) const {
    const int side = pooling.pools() ? pooled_side(config_.geometry, pooling) : config_.geometry.patches_per_side();
    return side * side;
}

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

/** The layouts of a video's frames that are pooled. */
std::vector<ImageLayout> Processor::fit_frames(const std::vector<Size> & sizes, const Pooling & pooling) const {
    if (pooling.newline != NewlinePlace::none && config_.newline.empty()) {
        throw Error("usage", "This model has no newline feature to put among a video's frames");
    }
    std::vector<ImageLayout> layouts;
    for (size_t i = 0; i < sizes.size(); i++) {
        Pooling own = pooling;
        if (pooling.newline == NewlinePlace::video) {
            own.newline = i + 1 == sizes.size() ? NewlinePlace::frame : NewlinePlace::none;
        }
        const int tokens = static_cast<int>(pooled_order(config_.geometry, own).size());
        layouts.push_back({sizes[i], 0, 0, 1, tokens, own});
    }
    return layouts;
}

std::vector<ImageLayout> Processor::fit(const std::vector<Size> & sizes, Detail detail, const Pooling & pooling,
                                        int64_t room) const {
    if (pooling.pools()) {
        return fit_frames(sizes, pooling);
    }
    std::vector<ImageLayout> layouts;
    for (const int bound : grid_bounds(detail)) {
        layouts.clear();
        int64_t tokens = 0;
        for (const Size & size : sizes) {
            const TileLayout layout = tile_layout(config_.geometry, size.width, size.height, bound);
            layouts.push_back({size, layout.cols, layout.rows, layout.tiles(), layout.tokens, {}});
            tokens += layout.tokens;
        }
        if (tokens <= room) return layouts;
    }
    if (detail != Detail::automatic || !pooling.if_needed) {
        return layouts;
    }
    Pooling tried = pooling;
    for (tried.stride = 2; tried.stride <= std::min(MAX_STRIDE, config_.geometry.patches_per_side()); tried.stride++) {
        layouts = fit_frames(sizes, tried);
        int64_t tokens = 0;
        for (const ImageLayout & layout : layouts) {
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
    return layout.pooling.pools() ? cut_frame(config_.geometry, picture)
                                  : cut_tiles(config_.geometry, picture, tiling(layout));
}

std::vector<int> Processor::order(const ImageLayout & layout) const {
    return layout.pooling.pools() ? pooled_order(config_.geometry, layout.pooling)
                                  : pack_order(config_.geometry, tiling(layout));
}

}   // namespace vcap::llava
