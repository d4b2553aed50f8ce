#pragma once

#include <memory>
#include <vector>

#include "core/gguf_file.h"
#include "core/language/hyperparameters.h"

namespace vcap {

/**
 * Checks that the tensors of a model's parts are those that its hyperparameters and its vocabulary of `vocabulary`
 * tokens ask for: each there once, of its shape and of a type that can be computed with, and no others. llama.cpp
 * checks some of that as well, but counts where this names, and aborts on types in the first row. Throws model_invalid.
 */
void check_tensors(const std::vector<std::shared_ptr<const GgufFile>> & parts, const Hyperparameters & model,
                   int64_t vocabulary);

}   // namespace vcap
