#include "core/vision/llava/config.h"

#include <algorithm>
#include <cmath>

namespace vcap::llava {
namespace {

// Bounds far above any model of the family: a header beyond them is damaged or hostile.
constexpr int64_t MAX_IMAGE = 4096;
constexpr int64_t MAX_PATCHES_PER_SIDE = 256;
constexpr int64_t MAX_WIDTH = 65536;
constexpr int64_t MAX_BLOCKS = 256;
constexpr size_t MAX_PINPOINTS = 256;
constexpr int64_t MAX_GRID_TILES = 64;

std::array<float, 3> read_channels(const GgufFile & file, const std::string & key,
                                   const std::array<float, 3> & standard, bool positive) {
    const std::optional<std::vector<double>> values = file.find_floats(key);
    if (!values) {
        return standard;
    }
    if (values->size() != 3) {
        file.invalid(key + " has " + std::to_string(values->size()) + " values instead of 3");
    }
    std::array<float, 3> channels{};
    for (size_t i = 0; i < 3; i++) {
        channels[i] = static_cast<float>((*values)[i]);
        if (!std::isfinite(channels[i]) || (positive && channels[i] <= 0)) {
            file.invalid(key + " has a value that cannot be");
        }
    }
    return channels;
}

/**
 * The grids of every LLaVA-1.6 model with tiles of 336 pixels (image_grid_pinpoints of their config.json), for tiles of
 * `tile` pixels: width and height in turns.
 */
std::vector<int64_t> standard_grids(int64_t tile) {
    return {tile, 2 * tile, 2 * tile, tile, 2 * tile, 2 * tile, 3 * tile, tile, tile, 3 * tile};
}

/** Reads the grids and the merging. `newline`: name of the newline tensor, which only LLaVA-1.6 has; or empty. */
void read_tiling(const GgufFile & file, const std::string & newline, TileGeometry & geometry,
                 std::vector<std::string> & warnings) {
    const std::string key = "clip.vision.image_grid_pinpoints";
    const std::string merge_key = "clip.vision.mm_patch_merge_type";
    std::vector<int64_t> flat = file.find_ints(key).value_or(std::vector<int64_t>{});
    const std::string merge =
        file.find_string(merge_key).value_or(flat.empty() && !newline.empty() ? "spatial_unpad" : "flat");
    const std::string asked_aspect = file.find_string("clip.vision.image_aspect_ratio").value_or("anyres");
    if (flat.empty() && !newline.empty() && merge != "flat" && asked_aspect == "anyres") {
        flat = standard_grids(geometry.tile_size);
        warnings.push_back("The projector has " + newline + " but no " + key +
                           ": it is taken for LLaVA-1.6 with the grids that its models have");
    } else if (flat.empty() && merge == "spatial_unpad") {
        warnings.push_back("The projector's mm_patch_merge_type is spatial_unpad, which LLaVA-1.6 has, but it has no " +
                           key +
                           ": it runs as LLaVA-1.5, with one tile an image. Convert it again from the whole model");
    }
    if (flat.size() % 2 != 0 || flat.size() / 2 > MAX_PINPOINTS) {
        file.invalid(key + " has " + std::to_string(flat.size()) + " numbers, which is no list of pairs");
    }
    for (size_t i = 0; i < flat.size(); i += 2) {
        const int64_t width = flat[i];
        const int64_t height = flat[i + 1];
        const int64_t tile = geometry.tile_size;
        const bool whole = width >= tile && height >= tile && width % tile == 0 && height % tile == 0;
        if (!whole || width / tile > MAX_GRID_TILES || height / tile > MAX_GRID_TILES ||
            (width / tile) * (height / tile) > MAX_GRID_TILES) {
            file.invalid(key + " has " + std::to_string(width) + " x " + std::to_string(height) +
                         ", which is no grid of up to " + std::to_string(MAX_GRID_TILES) + " tiles of " +
                         std::to_string(tile) + " pixels");
        }
        geometry.pinpoints.emplace_back(static_cast<int>(width), static_cast<int>(height));
    }
    // Without grids this is LLaVA-1.5, whose pictures are padded to a square; merging defaults to flat (LLaVA's
    // builder).
    geometry.aspect = geometry.pinpoints.empty() ? "pad" : "anyres";
    const std::string aspect = file.find_string("clip.vision.image_aspect_ratio").value_or(geometry.aspect);
    if (geometry.pinpoints.empty() && (aspect == "square" || aspect == "crop")) {
        geometry.aspect = "crop";
    } else if (aspect != geometry.aspect) {
        file.invalid("clip.vision.image_aspect_ratio is '" + aspect + "', but the file has " +
                     (geometry.pinpoints.empty() ? "no " : "") + "image_grid_pinpoints");
    }
    geometry.merge = merge;
    if (geometry.merge != "spatial_unpad" && geometry.merge != "spatial" && geometry.merge != "flat") {
        file.invalid(merge_key + " is '" + geometry.merge + "'; flat, spatial and spatial_unpad are known");
    }
}

/** One of the names of a key's values; `initial` where the file lacks the key. */
template <typename T>
T read_name(const GgufFile & file, const std::string & key, const std::vector<std::pair<std::string, T>> & names,
            T initial) {
    const std::optional<std::string> value = file.find_string(key);
    if (!value) {
        return initial;
    }
    std::string known;
    for (const auto & [name, meaning] : names) {
        if (*value == name) {
            return meaning;
        }
        known += (known.empty() ? "" : ", ") + name;
    }
    file.invalid(key + " is '" + *value + "'; known are " + known);
}

/** How a video's frames are pooled, in the words of LLaVA-NeXT's config.json; not at all where the file says nothing.
 */
Pooling read_pooling(const GgufFile & file, const TileGeometry & geometry) {
    const std::string prefix = "clip.vision.";
    Pooling pooling;
    if (file.find_int(prefix + "mm_spatial_pool_stride")) {
        pooling.stride =
            static_cast<int>(file.require_int(prefix + "mm_spatial_pool_stride", 1, geometry.patches_per_side()));
    }
    pooling.mode = read_name<PoolMode>(
        file, prefix + "mm_spatial_pool_mode",
        {{"average", PoolMode::average}, {"max", PoolMode::max}, {"bilinear", PoolMode::bilinear}}, pooling.mode);
    pooling.before_projector =
        read_name<bool>(file, prefix + "mm_pooling_position", {{"after", false}, {"before", true}}, false);
    pooling.newline = read_name<NewlinePlace>(file, prefix + "mm_newline_position",
                                              {{"grid", NewlinePlace::row},
                                               {"frame", NewlinePlace::frame},
                                               {"one_token", NewlinePlace::video},
                                               {"no_token", NewlinePlace::none}},
                                              NewlinePlace::none);
    return pooling;
}

/** How many of the stored blocks give the features: LLaVA takes the last layer but one. */
int read_blocks(const GgufFile & file) {
    const int stored = static_cast<int>(file.require_int("clip.vision.block_count", 1, MAX_BLOCKS));
    const std::optional<std::vector<int64_t>> layers = file.find_ints("clip.vision.feature_layer");
    if (layers) {
        int64_t last = 0;
        for (const int64_t layer : *layers) {
            last = std::max(last, layer < 0 ? stored + 1 + layer : layer);
        }
        if (layers->size() != 1 || last < 1 || last > stored) {
            file.invalid("clip.vision.feature_layer names no single one of the " + std::to_string(stored) +
                         " blocks stored");
        }
        return static_cast<int>(last);
    }
    // CLIP-L has 24 blocks and LLaVA uses 23. The legacy converter stores only those; a file with all 24 stores one too
    // many.
    return stored == 24 ? 23 : stored;
}

}   // namespace

Config read_config(const GgufFile & file) {
    Config config;
    const std::string prefix = "clip.vision.";
    config.geometry.tile_size = static_cast<int>(file.require_int(prefix + "image_size", 1, MAX_IMAGE));
    config.geometry.patch_size = static_cast<int>(file.require_int(prefix + "patch_size", 1, MAX_IMAGE));
    if (config.geometry.tile_size % config.geometry.patch_size != 0 ||
        config.geometry.patches_per_side() > MAX_PATCHES_PER_SIDE) {
        file.invalid("clip.vision.image_size is no moderate multiple of clip.vision.patch_size");
    }
    config.embedding = static_cast<int>(file.require_int(prefix + "embedding_length", 1, MAX_WIDTH));
    config.feed_forward = static_cast<int>(file.require_int(prefix + "feed_forward_length", 1, 4 * MAX_WIDTH));
    config.heads = static_cast<int>(file.require_int(prefix + "attention.head_count", 1, 1024));
    if (config.embedding % config.heads != 0) {
        file.invalid("clip.vision.embedding_length is no multiple of clip.vision.attention.head_count");
    }
    config.blocks = read_blocks(file);
    config.epsilon = static_cast<float>(file.find_float(prefix + "attention.layer_norm_epsilon").value_or(1e-5));
    if (!(config.epsilon > 0 && config.epsilon < 1)) {
        file.invalid("clip.vision.attention.layer_norm_epsilon is not between 0 and 1");
    }
    config.mean = read_channels(file, prefix + "image_mean", {0.48145466f, 0.4578275f, 0.40821073f}, false);
    config.deviation = read_channels(file, prefix + "image_std", {0.26862954f, 0.26130258f, 0.27577711f}, true);

    for (const char * name : {"model.image_newline", "v.image_newline"}) {
        if (file.find_tensor(name) != nullptr) {
            config.newline = name;
        }
    }
    read_tiling(file, config.newline, config.geometry, config.warnings);
    if (config.geometry.merge == "spatial_unpad" && config.geometry.aspect == "anyres" && config.newline.empty()) {
        file.invalid("clip.vision.mm_patch_merge_type is spatial_unpad, but tensor v.image_newline (or "
                     "model.image_newline) is missing");
    }
    config.pooling = read_pooling(file, config.geometry);
    if (config.newline.empty()) {
        config.pooling.newline = NewlinePlace::none;   // as where the features are merged without one
    }
    config.feature_width = static_cast<int>(file.require_tensor("mm.2.weight")->ne[1]);
    // The legacy converter calls the first matrix ffn_down. Where both are square its reading is llama.cpp's too.
    const ggml_tensor * down = file.require_tensor("v.blk.0.ffn_down.weight");
    config.swapped_ffn = down->ne[0] == config.embedding;
    return config;
}

}   // namespace vcap::llava
