#pragma once

#include <memory>
#include <string>

#include "core/gguf_file.h"
#include "core/language/tokenizer.h"
#include "llama.h"

namespace vcap {

/** A language model's vocabulary without its weights: enough to see a prompt as the model gets it. */
class Vocabulary {
public:
    /** Loads the vocabulary of a model's first file, whose header read_model_facts() has checked. Throws model_invalid.
     */
    Vocabulary(const GgufFile & file, const ChatTemplate & chat);

    const Tokenizer & tokenizer() const { return *tokenizer_; }

private:
    struct ModelDeleter {
        void operator()(llama_model * model) const { llama_model_free(model); }
    };

    std::unique_ptr<llama_model, ModelDeleter> model_;
    std::unique_ptr<Tokenizer> tokenizer_;
};

}   // namespace vcap
