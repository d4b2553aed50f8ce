#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "core/language/chat_template.h"
#include "core/language/model_parts.h"
#include "core/vision/vision.h"

namespace vcap {

/** What the headers of a language model and its projector say. No weight is read for it. */
struct ModelFacts {
    std::string name;                     // general.name of the language model; empty where it has none
    std::string architecture;             // of the language model: llama or qwen2
    uint64_t parameters = 0;              // numbers in all tensors of the language model
    uint64_t model_bytes = 0;             // of the language model's tensors
    uint64_t mmproj_bytes = 0;            // of the projector file's tensors, the vision tower included
    int layers = 0;                       // transformer blocks of the language model
    int width = 0;                        // embedding width: numbers of one token's embedding
    int vocabulary = 0;                   // tokens in the vocabulary
    int context_trained = 0;              // positions of the context that the language model was trained on
    uint64_t kv_bytes_per_position = 0;   // keys and values of one position in all layers, at half precision
    ChatTemplate chat_template;
    VisionFacts vision;
    std::vector<std::string> warnings;   // what people should know before they trust the captions, a sentence each
};

/**
 * Reads and checks the headers of a language model, given as all its parts, and of a projector, and that the two belong
 * together. `chat_template` is a template's name; empty: the one that the metadata point to. Throws model_invalid,
 * model_mismatch where projector and language model have different embedding widths, and usage for an unknown template.
 */
ModelFacts read_model_facts(const std::vector<std::shared_ptr<const GgufFile>> & model, const GgufFile & mmproj,
                            const std::string & chat_template);

}   // namespace vcap
