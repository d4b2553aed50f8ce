#pragma once

#include <cstdint>
#include <vector>

namespace vcap {

/** Lengths in pixels. */
struct Size {
    int width = 0;
    int height = 0;
};

/** One picture as a caller gives it: interleaved 8-bit RGB, [height, width, 3]. */
struct Picture {
    std::vector<uint8_t> pixels;
    Size size;
};

/** How much of a picture the vision tower sees. */
enum class Detail {
    automatic,   // the most whose tokens fit the context
    full,        // all that the model knows
    overview     // the whole picture as one tile
};

}   // namespace vcap
