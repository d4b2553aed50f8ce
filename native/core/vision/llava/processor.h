#pragma once

#include "core/vision/llava/config.h"
#include "core/vision/vision.h"

namespace vcap::llava {

/** LLaVA-1.5's and LLaVA-NeXT's (1.6) way with pictures: an overview and, with anyres, a grid of tiles. */
class Processor : public ImageProcessor {
public:
    explicit Processor(Config config);

    const VisionFacts & facts() const override { return facts_; }
    int features_per_tile(const Pooling & pooling) const override;
    size_t tile_bytes() const override;
    std::vector<ImageLayout> fit(const std::vector<Size> & sizes, Detail detail, const Pooling & pooling,
                                 int64_t room) const override;
    std::vector<uint8_t> cut(const Picture & picture, const ImageLayout & layout) const override;
    std::vector<int> order(const ImageLayout & layout) const override;

private:
    std::vector<int> grid_bounds(Detail detail) const;
    std::vector<ImageLayout> fit_frames(const std::vector<Size> & sizes, const Pooling & pooling) const;
    TileLayout tiling(const ImageLayout & layout) const;

    Config config_;
    VisionFacts facts_;
};

}   // namespace vcap::llava
