#pragma once

#include <vector>

#include "core/vision/llava/tiling.h"

namespace vcap::llava {

/**
 * The order in which an image's features reach the language model: for each token the index of its patch among
 * [layout.tiles(), patches_per_tile] (overview first, then the grid row by row), or NEWLINE. After LLaVA's
 * prepare_inputs_labels_for_multimodal (haotian-liu/LLaVA@c121f04): the overview, then the grid with its padding cut
 * off and one newline feature behind each row of patches. Its length is `layout.tokens`.
 */
std::vector<int> pack_order(const TileGeometry & geometry, const TileLayout & layout);

}   // namespace vcap::llava
