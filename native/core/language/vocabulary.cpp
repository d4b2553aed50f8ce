#include "core/language/vocabulary.h"

#include <vector>

#include "core/log.h"

namespace vcap {

Vocabulary::Vocabulary(const GgufFile & file, const ChatTemplate & chat) {
    const std::vector<llama_model_kv_override> overrides = tokenizer_overrides(file, chat);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    params.kv_overrides = overrides.data();
    const LogCapture log;
    model_.reset(llama_model_load_from_file(file.path().c_str(), params));
    if (model_ == nullptr) {
        file.invalid("llama.cpp could not load its vocabulary" + log.reason());
    }
    tokenizer_ = std::make_unique<Tokenizer>(llama_model_get_vocab(model_.get()), file, chat);
}

}   // namespace vcap
