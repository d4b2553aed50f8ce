#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/gguf_file.h"

namespace vcap {

/**
 * Opens a language model's file and, where it is the first part of a split model, the other parts, in order, and checks
 * that they are parts of one model. Throws model_not_found, model_invalid and out_of_memory, as GgufFile does.
 */
std::vector<std::shared_ptr<const GgufFile>> open_model_files(const std::string & path);

}   // namespace vcap
