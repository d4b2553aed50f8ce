#pragma once

#include <cstdint>
#include <vector>

#include "core/vision/llava/tiling.h"
#include "core/vision/picture.h"

namespace vcap::llava {

/**
 * A picture's tiles, [layout.tiles(), tile_size, tile_size, 3]: the overview first, then the grid row by row. After
 * LLaVA's process_images and resize_and_pad_image (haotian-liu/LLaVA@c121f04, llava/mm_utils.py), scaled as Pillow
 * does it.
 */
std::vector<uint8_t> cut_tiles(const TileGeometry & geometry, const Picture & picture, const TileLayout & layout);

/**
 * A video frame as one tile, [tile_size, tile_size, 3]: its middle square, as LLaVA-NeXT's video scripts have CLIP's
 * own preprocessing cut it.
 */
std::vector<uint8_t> cut_frame(const TileGeometry & geometry, const Picture & frame);

}   // namespace vcap::llava
