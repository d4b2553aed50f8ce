#pragma once

#include <cstdint>
#include <string>

#include "core/gguf_file.h"

namespace vcap {

/** The sizes of a language model of llama's or qwen2's architecture. */
struct Hyperparameters {
    std::string architecture;   // llama or qwen2
    int layers = 0;             // transformer blocks
    int context = 0;            // positions that the model was trained on
    int64_t width = 0;          // embedding width: numbers of one token's embedding
    int64_t feed_forward = 0;   // width of the feed-forward network
    int64_t heads = 0;          // of the queries
    int64_t kv_heads = 0;       // of the keys and values
    int64_t head_width = 0;     // numbers of one head's query, key and value
    bool long_rope = false;     // whether rope.scaling.type is longrope

    int64_t query_width() const { return heads * head_width; }
    int64_t kv_width() const { return kv_heads * head_width; }
};

/** general.architecture of a model's first file. Throws model_invalid where it is neither llama nor qwen2. */
std::string read_architecture(const GgufFile & file);

/**
 * Reads the hyperparameters out of a model's first file. llama.cpp asserts what it takes for granted of them and ends
 * the process where that does not hold, so that every key that it reads is checked here before: its type, its range,
 * and that they fit each other. Throws model_invalid.
 */
Hyperparameters read_hyperparameters(const GgufFile & file);

}   // namespace vcap
