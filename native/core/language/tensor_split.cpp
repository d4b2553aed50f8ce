#include "core/language/tensor_split.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"
#include "ggml-cpp.h"

namespace vcap {
namespace {

using Parts = std::vector<std::shared_ptr<const GgufFile>>;

// Rows of a feed-forward network that llama.cpp keeps together, for its kernels; also the part of an attention head's
// rows that it aims at.
constexpr int64_t KEPT_ROWS = 128;

const char * const REMEDY = ". Give each device whole layers instead, or take fewer devices for one model";

/** The block of values that the type of a tensor of this layer stores together; 1 where the tensor is not there. */
int64_t block_of(const Parts & parts, int layer, const std::string & name) {
    const std::string full = "blk." + std::to_string(layer) + "." + name;
    for (const std::shared_ptr<const GgufFile> & part : parts) {
        if (const ggml_tensor * tensor = part->find_tensor(full)) {
            return ggml_blck_size(tensor->type);
        }
    }
    return 1;
}

/** Whether each device gets a part of `length` that is cut at multiples of `unit`, by llama.cpp's own arithmetic. */
bool each_has_part(int64_t length, int64_t unit, size_t devices, const std::vector<float> & shares, size_t rotation) {
    std::vector<float> sums;
    for (size_t j = 0; j < devices; j++) {
        const float share = shares.empty() ? 0.0f : shares[(j + rotation) % devices];
        sums.push_back(share + (j > 0 ? sums[j - 1] : 0.0f));
    }
    int64_t low = 0;
    for (size_t j = 0; j + 1 < devices; j++) {
        const int64_t count = static_cast<int64_t>(devices);
        int64_t high = sums.back() == 0.0f ? length * static_cast<int64_t>(j + 1) / count
                                           : static_cast<int64_t>(static_cast<float>(length) * sums[j] / sums.back());
        high -= high % unit;
        if (high <= low) {
            return false;
        }
        low = high;
    }
    return length > low;
}

/** Values of keys that stay together: whole heads, of which as many as the weights' blocks ask for. */
int64_t key_unit(const Hyperparameters & model, int64_t block, size_t devices) {
    const int64_t heads_a_key = model.heads / model.kv_heads;
    const int64_t queries = heads_a_key * model.head_width;
    int64_t rows = block;
    while (rows < KEPT_ROWS && rows * static_cast<int64_t>(devices) < queries) {
        rows *= 2;
    }
    return std::lcm(queries, rows) / heads_a_key;
}

/** Whether the device computes flash attention over heads as the model has them. */
bool has_attention(ggml_backend_dev_t device, const Hyperparameters & model, ggml_type kv_type) {
    constexpr int64_t POSITIONS = 256;
    const ggml_context_ptr context(ggml_init({8 * ggml_tensor_overhead(), nullptr, /*no_alloc =*/true}));
    ggml_context * graph = context.get();
    ggml_tensor * q = ggml_new_tensor_3d(graph, GGML_TYPE_F32, model.head_width, POSITIONS, model.heads);
    ggml_tensor * k = ggml_new_tensor_3d(graph, kv_type, model.head_width, POSITIONS, model.kv_heads);
    ggml_tensor * v = ggml_new_tensor_3d(graph, kv_type, model.head_width, POSITIONS, model.kv_heads);
    ggml_tensor * mask = ggml_new_tensor_2d(graph, GGML_TYPE_F16, POSITIONS, POSITIONS);
    return ggml_backend_dev_supports_op(device, ggml_flash_attn_ext(graph, q, k, v, mask, 1.0f, 0.0f, 0.0f));
}

}   // namespace

void require_tensor_split(const Parts & parts, const std::vector<ggml_backend_dev_t> & devices,
                          const std::vector<float> & shares, ggml_type kv_type) {
    const GgufFile & file = *parts.front();
    const Hyperparameters model = read_hyperparameters(file);
    if (kv_type == GGML_TYPE_F32) {
        throw Error("usage", "A model that is split tensor by tensor needs flash attention, which rounds keys and "
                             "values to half precision: keep them as f16 or q8_0, or give each device whole layers");
    }
    for (ggml_backend_dev_t device : devices) {
        if (!has_attention(device, model, kv_type)) {
            throw Error("usage", std::string("A model that is split tensor by tensor needs flash attention, which ") +
                                     ggml_backend_dev_name(device) + " does not have for heads of " +
                                     std::to_string(model.head_width) + " values kept as " + ggml_type_name(kv_type) +
                                     ". Give each device whole layers instead");
        }
    }
    const size_t count = devices.size();
    for (int layer = 0; layer < model.layers; layer++) {
        const size_t rotation = static_cast<size_t>(layer) % count;
        const int64_t keys = key_unit(model, block_of(parts, layer, "attn_output.weight"), count);
        if (!each_has_part(model.kv_width(), keys, count, shares, rotation)) {
            throw Error("usage", file.path() + ": the " + std::to_string(model.kv_heads) +
                                     " heads of keys and values can be split into whole parts of " +
                                     std::to_string(std::max<int64_t>(1, keys / model.head_width)) +
                                     ", which leaves one of " + std::to_string(count) + " devices without" + REMEDY);
        }
        const int64_t rows = std::lcm(block_of(parts, layer, "ffn_down.weight"), KEPT_ROWS);
        if (!each_has_part(model.feed_forward, rows, count, shares, rotation)) {
            throw Error("usage", file.path() + ": the feed-forward network of " + std::to_string(model.feed_forward) +
                                     " values can be split into whole parts of " + std::to_string(rows) +
                                     ", which leaves one of " + std::to_string(count) + " devices without" + REMEDY);
        }
    }
}

}   // namespace vcap
