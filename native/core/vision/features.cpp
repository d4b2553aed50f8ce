#include "core/vision/features.h"

#include <cstring>
#include <string_view>

namespace vcap {

VisionFeatures::VisionFeatures(const ImageProcessor & processor, const Pooling & pooling, std::vector<CutImage> images)
    : pooling_(pooling), feature_width_(processor.facts().feature_width), images_(std::move(images)) {
    const size_t tile_bytes = processor.tile_bytes();
    const int per_tile = processor.features_per_tile(pooling);
    tile_floats_ = static_cast<size_t>(per_tile) * feature_width_;
    for (const CutImage & image : images_) {
        std::vector<size_t> indices;   // of the image's tiles among all different ones
        for (int tile = 0; tile < image.layout.tiles; tile++) {
            indices.push_back(add_tile(image.pixels.data() + tile * tile_bytes, tile_bytes));
        }
        for (const int feature : processor.order(image.layout)) {
            const bool newline = feature == NEWLINE;
            order_.push_back(newline ? NEWLINE
                                     : static_cast<int>(indices[feature / per_tile]) * per_tile + feature % per_tile);
        }
        counts_.push_back(image.layout.tokens);
        tiles_laid_out_ += image.layout.tiles;
    }
    tile_count_ = tiles_.size();
    tile_by_hash_.clear();
}

/** The index of this tile among the different ones: a still clip's frames, or plain borders, are encoded once. */
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
    tiles_.clear();
}

void VisionFeatures::copy_row(int index, const std::vector<float> & newline, float * row) const {
    const int feature = order_[index];
    const float * values =
        feature == NEWLINE ? newline.data() : values_.data() + static_cast<size_t>(feature) * feature_width_;
    std::memcpy(row, values, feature_width_ * sizeof(float));
}

}   // namespace vcap
