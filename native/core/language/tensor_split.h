#pragma once

#include <memory>
#include <vector>

#include "core/gguf_file.h"
#include "core/language/hyperparameters.h"
#include "ggml-backend.h"

namespace vcap {

/**
 * Checks that a model, given as all its parts, can be split tensor by tensor across devices with these shares (empty:
 * equal ones) and keys and values of this type: llama.cpp aborts in the midst of loading where a device would get no
 * part of a layer, and says of all else that there is no context. Throws usage.
 */
void require_tensor_split(const std::vector<std::shared_ptr<const GgufFile>> & parts,
                          const std::vector<ggml_backend_dev_t> & devices, const std::vector<float> & shares,
                          ggml_type kv_type);

}   // namespace vcap
