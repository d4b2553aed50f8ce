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

/** Where the newline feature stands among the features of a video's pooled frames. */
enum class NewlinePlace {
    none,
    video,   // one behind the last frame
    frame,   // one behind each frame
    row      // one behind each row of a frame's grid
};

enum class PoolMode { average, max, bilinear };

/** How the grid of a video frame's patches is pooled: the frame is then one tile, cropped to a square. */
struct Pooling {
    int stride = 1;           // patches along one side of what becomes one feature; 1: frames are read as pictures are
    bool if_needed = false;   // pool, by 2 to 4, where automatic detail finds no room for one whole tile a frame
    PoolMode mode = PoolMode::average;
    bool before_projector = false;   // pool what the tower makes of the patches, instead of the features
    NewlinePlace newline = NewlinePlace::none;

    bool pools() const { return stride > 1; }
};

/** Whether two poolings make the same features of a tile. */
inline bool same_features(const Pooling & a, const Pooling & b) {
    return a.stride == b.stride && a.mode == b.mode && a.before_projector == b.before_projector;
}

/** How much of a picture the vision tower sees. */
enum class Detail {
    automatic,   // the most whose tokens fit the context
    full,        // all that the model knows
    overview     // the whole picture as one tile
};

}   // namespace vcap
