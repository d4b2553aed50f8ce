#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/engine/request.h"
#include "core/vision/llava/tower.h"

namespace vcap {

/**
 * The image features of one request: room for what the tower makes of its tiles, and the
 * order in which the language model reads it. Nothing is copied to pack them.
 */
class VisionFeatures {
public:
    /** Lays the images out. Throws usage where an image's bytes do not fit its grid. */
    VisionFeatures(const VisionConfig & config, std::vector<ImageTiles> images);

    /** The tiles of all images, each different one once; each points at tile_size² · 3 bytes, until drop_pixels(). */
    const std::vector<const uint8_t *> & tiles() const { return tiles_; }
    size_t tile_count() const { return tile_count_; }
    int tokens() const { return static_cast<int>(order_.size()); }
    const std::vector<int> & counts() const { return counts_; }

    /** Where the features of tile `index` go: [patches, width]. Makes the room at the first call. */
    float * tile(size_t index);
    /** Drops the pixels, once all tiles are encoded. */
    void drop_pixels();
    /** Writes token `index` into row[width]. */
    void copy_row(int index, const std::vector<float> & newline, float * row) const;

private:
    size_t add_tile(const uint8_t * pixels, size_t bytes);

    size_t tile_floats_;
    int width_;
    std::vector<ImageTiles> images_;
    std::vector<const uint8_t *> tiles_;
    std::unordered_multimap<size_t, size_t> tile_by_hash_;
    size_t tile_count_ = 0;
    std::vector<int> order_;   // patch indices over all tiles, or NEWLINE
    std::vector<int> counts_;
    std::vector<float> values_;   // [tiles, patches, width]
};

}   // namespace vcap
