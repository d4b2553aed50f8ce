#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu_threads.h"
#include "core/gguf_file.h"
#include "core/vision/picture.h"
#include "ggml-backend.h"

// What the engine knows of a vision model. A family of models (vision/llava) implements the two interfaces below and is
// named in open.cpp; nothing else in the core knows which family runs.

namespace vcap {

/** What a projector's header says of its pictures, for people and for `plan`. Lengths in pixels. */
struct VisionFacts {
    int tile_size = 0;
    int patch_size = 0;
    std::vector<std::pair<int, int>> pinpoints;   // grids (width, height) in the file's order; empty: one tile an image
    std::string aspect;                           // anyres | pad | crop
    std::string merge;                            // spatial_unpad | spatial | flat
    int feature_width = 0;                        // numbers of one image feature: the language model's embedding width
    std::vector<std::string> warnings;            // what people should know of the file, a sentence each
    double tile_operations = 0;                   // floating-point operations of the tower and the projector for a tile
    Pooling pooling;                              // of a video's frames, as the model was trained
    bool newline = false;                         // whether the model has a newline feature
};

/** What one picture becomes: its grid of tiles, and the tokens they are for the language model. */
struct ImageLayout {
    Size size;      // of the picture
    int cols = 0;   // tiles across and down the grid; 0 x 0: the overview alone
    int rows = 0;
    int tiles = 1;    // inputs of the vision tower, the overview included
    int tokens = 0;   // rows in the language model's prompt, newline features included
    // Of a video's frame; its newline is `none`, `frame` (one behind this one) or `row`.
    Pooling pooling = {};
};

/** Stands for the newline feature in an order of features. */
constexpr int NEWLINE = -1;

/** How a model wants its pictures. Decided by the projector's header alone; every method may be called on any thread.
 */
class ImageProcessor {
public:
    virtual ~ImageProcessor() = default;

    virtual const VisionFacts & facts() const = 0;
    /** Features that the vision model makes of one tile. */
    virtual int features_per_tile(const Pooling & pooling) const = 0;
    /** Bytes of one tile's pixels. */
    virtual size_t tile_bytes() const = 0;

    /**
     * The layouts of pictures that share one prompt, at the same detail for all. Detail::automatic takes the most whose
     * tokens together are at most `room`. Where not even the least fits, the least is returned: the caller compares.
     * Where `pooling` pools, the pictures are the frames of one video, and `detail` says nothing. Throws usage on a
     * size that is not positive, and on a pooling that this model cannot do.
     */
    virtual std::vector<ImageLayout> fit(const std::vector<Size> & sizes, Detail detail, const Pooling & pooling,
                                         int64_t room) const = 0;
    /** The picture's tiles as the tower takes them, one after the other: [layout.tiles, tile_bytes()]. */
    virtual std::vector<uint8_t> cut(const Picture & picture, const ImageLayout & layout) const = 0;
    /**
     * The order in which the language model reads an image: for each of `layout.tokens` the index of its feature among
     * [layout.tiles, features_per_tile(layout.pooling)], or NEWLINE.
     */
    virtual std::vector<int> order(const ImageLayout & layout) const = 0;
};

/** One tile for the vision tower: its pixels, and where its features go, [features_per_tile, feature_width]. */
struct TowerInput {
    const uint8_t * pixels;
    float * features;
    Pooling pooling = {};
};

/** A loaded vision tower with its projector. One thread at a time, but for abort(). */
class VisionModel {
public:
    virtual ~VisionModel() = default;

    virtual const ImageProcessor & processor() const = 0;
    /** Tiles that one graph takes at most; encode() splits what is more. */
    virtual int max_tiles() const = 0;
    /** The newline feature, [feature_width]; empty where the model has none. */
    virtual const std::vector<float> & newline() const = 0;
    /** Features of any number of tiles of any number of images. Throws engine_error, or aborted after abort(). */
    virtual void encode(const std::vector<TowerInput> & inputs) = 0;
    /** Makes encode() give up soon; from any thread. */
    virtual void abort() = 0;
};

/** How the model of this projector file wants its pictures. Throws model_invalid, naming the field. */
std::unique_ptr<ImageProcessor> open_image_processor(const GgufFile & projector);

/** Loads the projector's weights onto `device`. Throws model_invalid, out_of_memory, device_unavailable. */
std::unique_ptr<VisionModel> open_vision_model(const GgufFile & projector, ggml_backend_dev_t device,
                                               const CpuThreads & threads);

}   // namespace vcap
