#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "core/language/prompt.h"
#include "core/vision/vision.h"

namespace vcap {

/** What the headers of a language model and its projector say, before any weight is read. */
struct ModelFacts {
    std::string name;
    std::string architecture;
    uint64_t parameters = 0;    // of the language model
    uint64_t model_bytes = 0;   // weights
    uint64_t mmproj_bytes = 0;
    int layers = 0;
    int width = 0;   // of an embedding
    int vocabulary = 0;
    int context_trained = 0;              // positions
    uint64_t kv_bytes_per_position = 0;   // keys and values of all layers, at half precision
    ChatTemplate chat_template;
    VisionFacts vision;
};

/**
 * Checks the two headers, and that they are a pair. `chat_template`: a name, or empty for the
 * one that the metadata name. Throws model_invalid, model_mismatch, usage.
 */
ModelFacts read_model_facts(const std::vector<std::shared_ptr<const GgufFile>> & model, const GgufFile & mmproj,
                            const std::string & chat_template);

/** A model's file, or all its parts where it was split. Throws as GgufFile does. */
std::vector<std::shared_ptr<const GgufFile>> open_model_files(const std::string & path);

}   // namespace vcap
