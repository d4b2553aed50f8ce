#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/finite.h"
#include "core/vision/vision.h"

namespace vcap {

/** One image of a request, cut: its layout and the pixels of its tiles, [layout.tiles, tile_bytes]. */
struct CutImage {
    ImageLayout layout;
    std::vector<uint8_t> pixels;
};

/**
 * The image features of one request: room for what the tower makes of its tiles, and the order in which the language
 * model reads it. Nothing is copied to pack them.
 */
class VisionFeatures {
public:
    /** `pooling` is that of every image's layout but for the newline. */
    VisionFeatures(const ImageProcessor & processor, const Pooling & pooling, std::vector<CutImage> images);

    const Pooling & pooling() const { return pooling_; }

    /** The tiles of all images, each different one once; each points at tile_bytes() of pixels, until drop_pixels(). */
    const std::vector<const uint8_t *> & tiles() const { return tiles_; }
    /** How many different tiles there are. */
    size_t tile_count() const { return tile_count_; }
    /** Rows that the images take in the prompt, and how many of them each image has. */
    int tokens() const { return static_cast<int>(order_.size()); }
    const std::vector<int> & counts() const { return counts_; }
    /** Tiles of all images, repeated ones counted each time. */
    int tiles_laid_out() const { return tiles_laid_out_; }

    /** Where the features of tile `index` go: [features_per_tile, feature_width]. Makes the room at the first call. */
    float * tile(size_t index);
    /** Whether all features are finite numbers. Once all tiles are encoded. */
    bool finite() const { return all_finite(values_.data(), values_.size()); }
    /** Frees the pixels, once all tiles are encoded. */
    void drop_pixels();
    /** Writes the feature of token `index` into row[feature_width]. */
    void copy_row(int index, const std::vector<float> & newline, float * row) const;

private:
    size_t add_tile(const uint8_t * pixels, size_t bytes);

    Pooling pooling_;
    size_t tile_floats_;
    int feature_width_;
    std::vector<CutImage> images_;
    std::vector<const uint8_t *> tiles_;
    std::unordered_multimap<size_t, size_t> tile_by_hash_;
    size_t tile_count_ = 0;
    int tiles_laid_out_ = 0;
    std::vector<int> order_;      // indices over the features of all different tiles, or NEWLINE
    std::vector<int> counts_;     // tokens of each image
    std::vector<float> values_;   // [tiles, features_per_tile, feature_width]
};

}   // namespace vcap
