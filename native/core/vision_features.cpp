#include "core/vision_features.h"

#include <cstring>

#include "core/error.h"

namespace vcap {

VisionFeatures::VisionFeatures(const VisionConfig & config, std::vector<ImageTiles> images)
    : tile_floats_(static_cast<size_t>(config.patches()) * config.width), width_(config.width), images_(std::move(images)) {
    const TileGeometry & geometry = config.geometry;
    const size_t tile_bytes = 3ull * geometry.tile_size * geometry.tile_size;
    for (const ImageTiles & image : images_) {
        const TileLayout layout = tile_layout_of_grid(geometry, image.width, image.height, image.cols, image.rows);
        if (image.pixels.size() != tile_bytes * layout.tiles()) {
            throw Error("usage", "An image of " + std::to_string(layout.tiles()) + " tiles needs " + std::to_string(tile_bytes * layout.tiles()) +
                                     " bytes, not " + std::to_string(image.pixels.size()) + ".");
        }
        const int first_patch = static_cast<int>(tiles_.size()) * config.patches();
        for (const int patch : pack_order(geometry, layout)) {
            order_.push_back(patch == NEWLINE ? NEWLINE : first_patch + patch);
        }
        counts_.push_back(layout.tokens);
        for (int tile = 0; tile < layout.tiles(); tile++) {
            tiles_.push_back(image.pixels.data() + tile * tile_bytes);
        }
    }
    tile_count_ = tiles_.size();
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

}  // namespace vcap
