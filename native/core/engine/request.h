#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/vision/llava/tiling.h"
#include "llama.h"

namespace vcap {

/** One image's tiles: the overview first, then the grid row by row. */
struct ImageTiles {
    std::vector<uint8_t> pixels;   // [tiles, tile_size, tile_size, 3], RGB
    int width = 0;                 // the image's size before it was cut
    int height = 0;
    int cols = 0;   // the grid
    int rows = 0;
};

struct CaptionRequest {
    std::vector<ImageTiles> images;
    std::string prompt;
    int max_tokens = 300;
    float temperature = 0;   // 0: greedy
    float top_p = 1;
    uint32_t seed = 0;
    bool ignore_eos = false;   // go on to max_tokens whatever the model says
    bool first_logits = false;
};

/** Milliseconds. */
struct Timings {
    double queued = 0;
    double vision = 0;
    double prefill = 0;
    double decode = 0;
};

struct Caption {
    std::string text;                  // valid UTF-8
    std::vector<llama_token> tokens;   // without the one that ended it
    bool cut = false;                  // at max_tokens
    int prompt_tokens = 0;
    int image_tokens = 0;
    std::vector<float> first_logits;   // [vocabulary], where asked for
    Timings timings;
};

/** Packed features of several images, one after the other: [tokens, width]. */
struct Embedding {
    std::vector<float> data;
    std::vector<int> counts;   // tokens of each image
    int width = 0;
};

template <typename T>
using Outcome = std::variant<T, Error>;

}   // namespace vcap
