#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/engine.h"

// The model that ships with the package, and pictures of its world.
namespace demo {

inline const char * model = "models/demo/vcap-demo.gguf";
inline const char * mmproj = "models/demo/vcap-demo-mmproj.gguf";

inline vcap::EngineOptions options(int sequences) {
    vcap::EngineOptions options;
    options.model = model;
    options.mmproj = mmproj;
    options.sequences = sequences;
    options.context = 1024;
    options.threads = 1;
    // What shares a batch is a matter of timing, and at half precision that alone can turn a near tie.
    options.kv_type = GGML_TYPE_F32;
    return options;
}

inline std::unique_ptr<vcap::Engine> load(int sequences) {
    return std::make_unique<vcap::Engine>(options(sequences), [](float) { return true; });
}

/** A picture of a tile's size, a disc of the colour given on black: enough to make captions differ. */
inline vcap::Picture disc(double x, double y, double radius, uint8_t red, uint8_t green, uint8_t blue, int tile = 112) {
    vcap::Picture image{std::vector<uint8_t>(3 * tile * tile, 12), {tile, tile}};
    for (int row = 0; row < tile; row++) {
        for (int col = 0; col < tile; col++) {
            if (std::hypot(col - x * tile, row - y * tile) < radius * tile) {
                uint8_t * pixel = image.pixels.data() + 3 * (row * tile + col);
                pixel[0] = red;
                pixel[1] = green;
                pixel[2] = blue;
            }
        }
    }
    return image;
}

}   // namespace demo
