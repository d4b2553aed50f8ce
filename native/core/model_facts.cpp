#include "core/model_facts.h"

#include "core/error.h"
#include "core/language/model_check.h"
#include "core/language/tokenizer.h"
#include "core/text.h"

namespace vcap {
ModelFacts read_model_facts(const std::vector<std::shared_ptr<const GgufFile>> & model, const GgufFile & mmproj,
                            const std::string & chat_template) {
    ModelFacts facts;
    facts.vision = open_image_processor(mmproj)->facts();
    facts.mmproj_bytes = mmproj.tensor_bytes();

    const GgufFile & file = *model.front();
    const Hyperparameters hyperparameters = check_language_model(model);
    facts.architecture = hyperparameters.architecture;
    facts.layers = hyperparameters.layers;
    facts.context_trained = hyperparameters.context;
    facts.width = static_cast<int>(hyperparameters.width);
    facts.vocabulary = static_cast<int>(*file.find_array_length("tokenizer.ggml.tokens"));
    if (facts.vision.feature_width != facts.width) {
        throw Error("model_mismatch",
                    "The projector " + mmproj.path() + " projects to " + std::to_string(facts.vision.feature_width) +
                        " values, but the language model " + file.path() + " takes " + std::to_string(facts.width) +
                        " for an embedding. Give the projector that was made for this model");
    }
    facts.kv_bytes_per_position = sizeof(ggml_fp16_t) * facts.layers * 2 * hyperparameters.kv_width();

    facts.name = file.find_string("general.name").value_or("");
    facts.chat_template = choose_chat_template(file, chat_template);
    facts.warnings = tokenizer_warnings(file, facts.chat_template);
    facts.warnings.insert(facts.warnings.end(), facts.vision.warnings.begin(), facts.vision.warnings.end());
    if (facts.vision.pinpoints.empty() && facts.vision.warnings.empty() &&
        (contains(facts.name, "1.6") || contains(mmproj.find_string("general.name").value_or(""), "1.6"))) {
        facts.warnings.push_back(
            "The files are called LLaVA-1.6, but the projector has no clip.vision.image_grid_pinpoints: it runs as "
            "LLaVA-1.5, with one tile an image. Convert the projector again from the whole model");
    }
    for (const std::shared_ptr<const GgufFile> & part : model) {
        facts.model_bytes += part->tensor_bytes();
        for (const ggml_tensor * tensor : part->tensors()) {
            facts.parameters += ggml_nelements(tensor);
        }
    }
    return facts;
}

}   // namespace vcap
