#include "core/vision/features.h"

#include <cstring>
#include <string_view>

#include "core/error.h"

namespace vcap {

VisionFeatures::VisionFeatures(const VisionConfig & config, std::vector<ImageTiles> images)
    : tile_floats_(static_cast<size_t>(config.patches()) * config.width), width_(config.width),
      images_(std::move(images)) {
    const TileGeometry & geometry = config.geometry;
    const size_t tile_bytes = 3ull * geometry.tile_size * geometry.tile_size;
    for (const ImageTiles & image : images_) {
        const TileLayout layout = tile_layout_of_grid(geometry, image.width, image.height, image.cols, image.rows);
        if (image.pixels.size() != tile_bytes * layout.tiles()) {
            throw Error("usage", "An image of " + std::to_string(layout.tiles()) + " tiles needs " +
                                     std::to_string(tile_bytes * layout.tiles()) + " bytes, not " +
                                     std::to_string(image.pixels.size()) + ".");
        }
        std::vector<size_t> places;
        for (int tile = 0; tile < layout.tiles(); tile++) {
            places.push_back(add_tile(image.pixels.data() + tile * tile_bytes, tile_bytes));
        }
        const int patches = config.patches();
        for (const int patch : pack_order(geometry, layout)) {
            order_.push_back(patch == NEWLINE ? NEWLINE
                                              : static_cast<int>(places[patch / patches]) * patches + patch % patches);
        }
        counts_.push_back(layout.tokens);
    }
    tile_count_ = tiles_.size();
    tile_by_hash_.clear();
}

/** Where this tile stands among those to be encoded: a still clip's frames, or plain borders, are encoded once. */
size_t VisionFeatures::add_tile(const uint8_t * pixels, size_t bytes) {
    const size_t hash = std::hash<std::string_view>{}({reinterpret_cast<const char *>(pixels), bytes});
    const auto [first, last] = tile_by_hash_.equal_range(hash);
    for (auto candidate = first; candidate != last; ++candidate) {
        if (std::memcmp(tiles_[candidate->second], pixels, bytes) == 0) {
            return candidate->second;
        }
    }
    tile_by_hash_.emplace(hash, tiles_.size());
    tiles_.push_back(pixels);
    return tiles_.size() - 1;
}

float * VisionFeatures::tile(size_t index) {
    values_.resize(tile_count_ * tile_floats_);
    return values_.data() + index * tile_floats_;
}

void VisionFeatures::drop_pixels() {
    images_.clear();
    images_.shrink_to_fit();
}

void VisionFeatures::copy_row(int index, const std::vector<float> & newline, float * row) const {
    const int patch = order_[index];
    const float * values = patch == NEWLINE ? newline.data() : values_.data() + static_cast<size_t>(patch) * width_;
    std::memcpy(row, values, width_ * sizeof(float));
}

}   // namespace vcap
