#pragma once

#include <string>
#include <utility>
#include <vector>

namespace vcap::llava {

/** How a LLaVA model wants its pictures. */
struct TileGeometry {
    int tile_size = 336;                          // side of a tile, in pixels
    int patch_size = 14;                          // side of a patch, in pixels
    std::vector<std::pair<int, int>> pinpoints;   // grids (width, height) in pixels; empty: one tile an image
    std::string aspect = "anyres";                // anyres | pad | crop
    std::string merge = "spatial_unpad";          // spatial_unpad | spatial | flat

    /** Whether the padding's features are cut off and each row of patches gets a newline feature. */
    bool unpads() const { return merge == "spatial_unpad"; }
    int patches_per_side() const { return tile_size / patch_size; }
    int patches_per_tile() const { return patches_per_side() * patches_per_side(); }
};

/** How one image is cut: its grid of tiles, and which of the grid's features are left. */
struct TileLayout {
    // Tiles across and down the grid; 0 x 0 where only the overview is used.
    int cols = 0;
    int rows = 0;
    // Where the scaled image lies on the grid's canvas, in pixels.
    int resized_width = 0;
    int resized_height = 0;
    int pad_left = 0;
    int pad_top = 0;
    // The patches of the grid that are left when the padding is cut off: columns [kept_left, kept_left + kept_cols) and
    // rows [kept_top, kept_top + kept_rows).
    int kept_left = 0;
    int kept_top = 0;
    int kept_cols = 0;
    int kept_rows = 0;
    int tokens = 0;   // image features, newline features included

    int tiles() const { return 1 + cols * rows; }
};

/**
 * The tiling of a width × height image, as LLaVA-NeXT's original repository does it
 * (select_best_resolution, resize_and_pad_image, prepare_inputs_labels_for_multimodal;
 * haotian-liu/LLaVA@c121f04), all in double precision. `max_tiles` bounds the tiles of the
 * grid; where no grid is that small, the overview alone is left. Throws usage on a size
 * that is not positive.
 */
TileLayout tile_layout(const TileGeometry & geometry, int width, int height, int max_tiles);

/** The layout of an image that was already cut into cols × rows tiles. Throws usage if that is no grid of the model's.
 */
TileLayout tile_layout_of_grid(const TileGeometry & geometry, int width, int height, int cols, int rows);

}   // namespace vcap::llava
