#include "core/language/model_check.h"

#include "core/language/tensor_check.h"
#include "core/language/vocabulary_check.h"

namespace vcap {

Hyperparameters check_language_model(const std::vector<std::shared_ptr<const GgufFile>> & parts) {
    const GgufFile & first = *parts.front();
    read_architecture(first);
    check_vocabulary(first);
    Hyperparameters model = read_hyperparameters(first);
    check_tensors(parts, model, static_cast<int64_t>(*first.find_array_length("tokenizer.ggml.tokens")));
    return model;
}

}   // namespace vcap
