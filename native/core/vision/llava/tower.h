#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/cpu_threads.h"
#include "core/gguf_file.h"
#include "core/vision/llava/config.h"
#include "ggml-cpp.h"

namespace vcap {

/**
 * LLaVA's CLIP tower and MLP projector as one ggml graph with a batch dimension: tiles of
 * any number of frames of any number of videos at once. What it computes is
 * transformers' LlavaNext with vision_feature_layer -2 and the class token dropped.
 */
class VisionTower {
public:
    /** Loads the weights onto `device`. Throws model_invalid, naming the tensor. */
    VisionTower(const GgufFile & file, const VisionConfig & config, ggml_backend_dev_t device,
                const CpuThreads & threads);

    /** Tiles that one graph takes at most; encode() splits what is more. */
    int max_tiles() const { return max_tiles_; }
    /** The newline feature, [width]; empty where the model has none. */
    const std::vector<float> & newline() const { return newline_; }

    /** A tile's pixels, tile_size² · 3 bytes of interleaved RGB, and where its features go: [patches, width]. */
    struct Tile {
        const uint8_t * pixels;
        float * features;
    };

    /** Projected features of any number of tiles. Throws engine_error if the device fails, aborted after abort(). */
    void encode(const std::vector<Tile> & tiles);

    /** Makes encode() give up soon; from any thread. */
    void abort() { aborted_ = true; }

private:
    struct Linear {
        ggml_tensor * weight;
        ggml_tensor * bias;
    };
    struct Block {
        Linear ln1, query, key, value, out, ln2, fc1, fc2;
    };

    ggml_tensor * declare(const GgufFile & file, const std::string & name, std::vector<int64_t> shape, bool matrix);
    Linear declare_linear(const GgufFile & file, const std::string & name, int64_t in, int64_t out);
    Linear declare_norm(const GgufFile & file, const std::string & name);
    void load_weights(const GgufFile & file);

    ggml_tensor * linear(ggml_context * graph, const Linear & weights, ggml_tensor * x) const;
    ggml_tensor * norm(ggml_context * graph, const Linear & weights, ggml_tensor * x) const;
    ggml_tensor * attention(ggml_context * graph, const Block & block, ggml_tensor * x) const;
    ggml_tensor * embed_patches(ggml_context * graph, ggml_tensor * patches, int64_t tiles) const;
    size_t graph_nodes() const;
    void plan(int tiles);
    void fill_patches(const Tile * tiles, int count);
    void encode_batch(const Tile * tiles, int count);

    VisionConfig config_;
    bool on_cpu_;
    std::vector<ggml_backend_ptr> backends_;   // by preference; the CPU last
    int max_tiles_ = 1;

    ggml_context_ptr weights_;
    ggml_backend_buffer_ptr weights_buffer_;
    ggml_tensor * patch_kernel_ = nullptr;   // [3 · patch · patch, embedding]
    ggml_tensor * class_token_ = nullptr;
    ggml_tensor * positions_ = nullptr;
    Linear pre_norm_{};
    std::vector<Block> blocks_;
    Linear project1_{};
    Linear project2_{};
    std::vector<float> newline_;

    // The graph for the last number of tiles, kept: most batches are alike.
    int planned_tiles_ = 0;
    ggml_context_ptr graph_memory_;
    ggml_backend_sched_ptr scheduler_;
    ggml_cgraph * graph_ = nullptr;
    ggml_tensor * patches_ = nullptr;
    ggml_tensor * features_ = nullptr;
    std::vector<float> patch_values_;
    std::vector<float> normalised_;   // [3, 256]: each byte's value a channel
    std::atomic<bool> aborted_{false};
};

}   // namespace vcap
