#pragma once

#include <string>
#include <utility>
#include <vector>

namespace vcap {

/** How a vision model wants its pictures. Lengths in pixels. */
struct TileGeometry {
    int tile_size = 336;
    int patch_size = 14;
    std::vector<std::pair<int, int>> pinpoints;   // grids (width, height); empty: one tile an image
    std::string aspect = "anyres";                // anyres | pad | crop
    std::string merge = "spatial_unpad";          // spatial_unpad | spatial | flat

    int patches_per_side() const { return tile_size / patch_size; }
    int patches_per_tile() const { return patches_per_side() * patches_per_side(); }
};

/** What becomes of one image: its grid of tiles, and what is left of the grid's features. */
struct TileLayout {
    int cols = 0;   // tiles across and down; 0 × 0: the overview alone
    int rows = 0;
    int resized_width = 0;   // the image inside the grid's canvas, pixels
    int resized_height = 0;
    int pad_left = 0;
    int pad_top = 0;
    int kept_left = 0;   // the patch columns and rows that are left of the grid: [left, left + cols)
    int kept_top = 0;
    int kept_cols = 0;
    int kept_rows = 0;
    int tokens = 0;   // image features, newlines included

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

/** A newline feature in pack_order's list. */
constexpr int NEWLINE = -1;

/**
 * The order in which an image's features reach the language model: for each token the index
 * of its patch among the image's `tiles · patches_per_tile` (overview first, tiles row by
 * row), or NEWLINE. Its length is `layout.tokens`.
 */
std::vector<int> pack_order(const TileGeometry & geometry, const TileLayout & layout);

}   // namespace vcap
