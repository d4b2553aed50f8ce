#pragma once

#include <array>
#include <string>

#include "core/gguf_file.h"
#include "core/vision/llava/tiling.h"

namespace vcap {

/** A LLaVA projector file's metadata, checked: the CLIP tower, the MLP behind it, the tiling. */
struct VisionConfig {
    TileGeometry geometry;
    int embedding = 0;   // width of the tower
    int feed_forward = 0;
    int heads = 0;
    int blocks = 0;                // blocks that run, not those the file stores
    float epsilon = 1e-5f;         // of the layer norms
    std::array<float, 3> mean{};   // of RGB in [0, 1]
    std::array<float, 3> deviation{};
    int width = 0;              // of the projected features: the language model's embedding width
    bool swapped_ffn = false;   // the legacy converter's names: ffn_down comes first
    std::string newline;        // name of the newline tensor; empty where the model has none

    int patches() const { return geometry.patches_per_tile(); }
    int positions() const { return patches() + 1; }
};

/** Throws model_invalid, naming the field, for any file that is no LLaVA projector. */
VisionConfig read_vision_config(const GgufFile & file);

}   // namespace vcap
