#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/cpu_threads.h"
#include "core/gguf_file.h"
#include "core/vision/llava/config.h"
#include "core/vision/llava/processor.h"
#include "core/vision/vision.h"
#include "ggml-cpp.h"

namespace vcap::llava {

/** What of the graph depends on the kind of device that computes it (docs/cuda.md). */
struct Arithmetic {
    bool flash_attention;        // one operation, without the matrix of scores; else products with a softmax between
    bool exact_products;         // ask for sums in F32, where the backend's default may be half precision
    uint64_t activation_bytes;   // that one batch of tiles may take
};

/** What suits a device, for a tower of this size. */
Arithmetic choose_arithmetic(const Config & config, ggml_backend_dev_t device);

/**
 * LLaVA's CLIP tower and MLP projector as one ggml graph with a batch dimension: tiles of any number of frames of any
 * number of videos at once. It computes what transformers' LlavaNext computes with vision_feature_layer -2 and the
 * class token dropped.
 */
class Tower : public VisionModel {
public:
    /** Loads the weights onto `device`. Throws model_invalid, naming the tensor, out_of_memory, device_unavailable. */
    Tower(const GgufFile & file, const Config & config, ggml_backend_dev_t device, const Arithmetic & arithmetic,
          const CpuThreads & threads);

    const ImageProcessor & processor() const override { return processor_; }
    int max_tiles() const override { return max_tiles_; }
    const std::vector<float> & newline() const override { return newline_; }
    void encode(const std::vector<TowerInput> & inputs) override;
    void abort() override { aborted_ = true; }

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

    ggml_tensor * product(ggml_context * graph, ggml_tensor * weights, ggml_tensor * x) const;
    ggml_tensor * linear(ggml_context * graph, const Linear & weights, ggml_tensor * x) const;
    ggml_tensor * norm(ggml_context * graph, const Linear & weights, ggml_tensor * x) const;
    ggml_tensor * attention(ggml_context * graph, const Block & block, ggml_tensor * x) const;
    ggml_tensor * embed_patches(ggml_context * graph, ggml_tensor * patches, int64_t tiles) const;
    ggml_tensor * pool(ggml_context * graph, const Pooling & pooling, ggml_tensor * x) const;
    ggml_tensor * project(ggml_context * graph, ggml_tensor * x) const;
    size_t graph_nodes() const;
    void plan(int tiles, const Pooling & pooling);
    void fill_patches(const TowerInput * inputs, int count);
    void encode_batch(const TowerInput * inputs, int count);

    Config config_;
    Processor processor_;
    Arithmetic arithmetic_;
    std::vector<ggml_backend_ptr> backends_;   // the device's own first, the CPU's last
    int max_tiles_ = 1;

    ggml_context_ptr weights_;
    ggml_backend_buffer_ptr weights_buffer_;
    ggml_tensor * patch_kernel_ = nullptr;   // [3 · patch · patch, embedding]
    ggml_tensor * class_token_ = nullptr;    // [embedding]
    ggml_tensor * positions_ = nullptr;      // [positions, embedding]
    Linear pre_norm_{};
    std::vector<Block> blocks_;
    Linear project1_{};
    Linear project2_{};
    std::vector<float> newline_;

    // The graph of the last batch is kept, since most batches have the same number of tiles.
    int planned_tiles_ = 0;
    Pooling planned_pooling_;
    ggml_context_ptr graph_memory_;
    ggml_backend_sched_ptr scheduler_;
    ggml_cgraph * graph_ = nullptr;
    ggml_tensor * patches_ = nullptr;    // input: [tiles · patches, 3 · patch · patch]
    ggml_tensor * features_ = nullptr;   // output: [tiles · features of a tile, feature_width]
    std::vector<float> patch_values_;    // the same as patches_, on the host
    std::vector<float> normalised_;      // [3, 256]: the normalised value of each byte, for each channel
    std::atomic<bool> aborted_{false};
};

}   // namespace vcap::llava
