#pragma once

#include <memory>
#include <vector>

#include "core/gguf_file.h"
#include "core/language/hyperparameters.h"

namespace vcap {

/**
 * Checks the headers of a language model, given as all its parts, so that llama.cpp, which asserts much of what it
 * reads, can load it: hyperparameters, vocabulary and tensors. Throws model_invalid, whose message names the key or
 * tensor, its value and what is expected.
 */
Hyperparameters check_language_model(const std::vector<std::shared_ptr<const GgufFile>> & parts);

}   // namespace vcap
