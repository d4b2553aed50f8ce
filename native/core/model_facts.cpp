#include "core/model_facts.h"

#include "core/error.h"
#include "core/language/model_check.h"
#include "core/language/tokenizer.h"
#include "core/text.h"

namespace vcap {
namespace {

// LLaVA-NeXT-Video was trained on frames whose patches are averaged 2 × 2. No converter writes that into its files.
constexpr int VIDEO_STRIDE = 2;

/** Whether a model of this name is a LLaVA-NeXT-Video. */
bool is_video_family(const std::string & name) {
    const std::string text = lower(name);
    return contains(text, "next-video") || contains(text, "next_video") || contains(text, "next video");
}

std::string file_name(const std::string & path) { return path.substr(path.find_last_of('/') + 1); }

}   // namespace

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
    if (!mmproj.find_int("clip.vision.mm_spatial_pool_stride") &&
        (is_video_family(facts.name) || is_video_family(mmproj.find_string("general.name").value_or("")) ||
         is_video_family(file_name(file.path())))) {
        facts.vision.pooling.stride = VIDEO_STRIDE;
    }
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
