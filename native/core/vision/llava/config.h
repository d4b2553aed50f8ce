#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "core/vision/llava/tiling.h"
#include "core/vision/picture.h"

namespace vcap::llava {

/** A LLaVA projector file's metadata, checked: the CLIP tower, the MLP behind it, the tiling. */
struct Config {
    TileGeometry geometry;
    int embedding = 0;                   // numbers of one patch inside the tower
    int feed_forward = 0;                // numbers of one patch between a block's two feed-forward matrices
    int heads = 0;                       // attention heads
    int blocks = 0;                      // transformer blocks that run, which may be fewer than the file stores
    float epsilon = 1e-5f;               // added to the variance in every layer norm
    std::array<float, 3> mean{};         // of red, green and blue in [0, 1]
    std::array<float, 3> deviation{};    // standard deviation of the same
    int feature_width = 0;               // numbers of one projected feature: the language model's embedding width
    bool swapped_ffn = false;            // true where the file calls the first feed-forward matrix ffn_down
    std::vector<std::string> warnings;   // what people should know of the file, a sentence each
    Pooling pooling;                     // of a video's frames
    std::string newline;                 // name of the newline tensor; empty where the model has none

    int patches() const { return geometry.patches_per_tile(); }
    /** Patches of one tile and the class token. */
    int positions() const { return patches() + 1; }
};

/** Reads a file that open.cpp has found to be a LLaVA projector. Throws model_invalid, naming the field. */
Config read_config(const GgufFile & file);

}   // namespace vcap::llava
