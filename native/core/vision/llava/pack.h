#pragma once

#include <vector>

#include "core/vision/llava/tiling.h"
#include "core/vision/picture.h"

namespace vcap::llava {

/**
 * The order in which an image's features reach the language model: for each token the index of its patch among
 * [layout.tiles(), patches_per_tile] (overview first, then the grid row by row), or NEWLINE. After LLaVA's
 * prepare_inputs_labels_for_multimodal (haotian-liu/LLaVA@c121f04): the overview, then the grid with its padding cut
 * off and one newline feature behind each row of patches. Its length is `layout.tokens`.
 */
std::vector<int> pack_order(const TileGeometry & geometry, const TileLayout & layout);

/**
 * Features along one side of a frame's pooled grid (LLaVA-NeXT, get_2dPool): averages and maxima leave out what is less
 * than a whole stride, bilinear scaling counts it. Throws usage where nothing would be left.
 */
int pooled_side(const TileGeometry & geometry, const Pooling & pooling);

/**
 * The same as pack_order for a video's pooled frame: its grid row by row, with the newlines that `pooling.newline`
 * asks for; `video` stands for none here. After LLaVA-NeXT's add_token_per_grid and add_token_per_frame.
 */
std::vector<int> pooled_order(const TileGeometry & geometry, const Pooling & pooling);

}   // namespace vcap::llava
