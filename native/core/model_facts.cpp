#include "core/model_facts.h"

#include "core/error.h"
#include "llama.h"

namespace vcap {
namespace {

/** What llama.cpp would assert on or fail on late: architecture, tokenizer, widths. */
void check_language_model(const GgufFile & file, const std::string & architecture) {
    if (architecture == "clip") {
        file.invalid("this is a vision projector; give the language model as --model and the projector as --mmproj");
    }
    // The architectures LLaVA's language models have. They take embeddings as they are: no scaling hides in the token
    // look-up.
    if (architecture != "llama" && architecture != "qwen2") {
        file.invalid("general.architecture is '" + architecture + "'; LLaVA's language models are llama or qwen2");
    }
    if (!file.has("tokenizer.ggml.model") || file.find_array_length("tokenizer.ggml.tokens").value_or(0) == 0) {
        file.invalid("it has no tokenizer (tokenizer.ggml.model and tokenizer.ggml.tokens)");
    }
}

}   // namespace

std::vector<std::shared_ptr<const GgufFile>> open_model_files(const std::string & path) {
    std::vector<std::shared_ptr<const GgufFile>> files{std::make_shared<const GgufFile>(path)};
    const int64_t parts = files.front()->find_int("split.count").value_or(1);
    if (parts <= 1) {
        return files;
    }
    if (parts > 1000) {
        files.front()->invalid("split.count is " + std::to_string(parts) + ", which is absurd");
    }
    std::string prefix(path.size() + 1, '\0');
    if (llama_split_prefix(prefix.data(), prefix.size(), path.c_str(), 0, static_cast<int32_t>(parts)) == 0) {
        files.front()->invalid("it has " + std::to_string(parts) +
                               " parts; give the first one, whose name ends in -00001-of-…");
    }
    for (int32_t part = 1; part < parts; part++) {
        std::string name(path.size() + 64, '\0');
        const int32_t length =
            llama_split_path(name.data(), name.size(), prefix.c_str(), part, static_cast<int32_t>(parts));
        files.push_back(std::make_shared<const GgufFile>(name.substr(0, length)));
    }
    return files;
}

ModelFacts read_model_facts(const std::vector<std::shared_ptr<const GgufFile>> & model, const GgufFile & mmproj,
                            const std::string & chat_template) {
    ModelFacts facts;
    facts.vision = open_image_processor(mmproj)->facts();
    facts.mmproj_bytes = mmproj.tensor_bytes();

    const GgufFile & file = *model.front();
    facts.architecture = file.find_string("general.architecture").value_or("");
    check_language_model(file, facts.architecture);
    const std::string prefix = facts.architecture + ".";
    facts.layers = static_cast<int>(file.require_int(prefix + "block_count", 1, 4096));
    facts.context_trained = static_cast<int>(file.require_int(prefix + "context_length", 1, INT32_MAX));
    facts.width = static_cast<int>(file.require_int(prefix + "embedding_length", 1, 1 << 20));
    const int64_t heads = file.require_int(prefix + "attention.head_count", 1, 65536);
    const std::string groups_key = prefix + "attention.head_count_kv";
    const int64_t groups = file.has(groups_key) ? file.require_int(groups_key, 1, heads) : heads;
    if (heads % groups != 0 || (facts.width % heads != 0 && !file.has(prefix + "attention.key_length"))) {
        file.invalid(prefix + "attention.head_count of " + std::to_string(heads) + " does not go with head_count_kv " +
                     std::to_string(groups) + " and embedding_length " + std::to_string(facts.width));
    }
    if (facts.vision.feature_width != facts.width) {
        throw Error("model_mismatch", mmproj.path() + " projects to " + std::to_string(facts.vision.feature_width) +
                                          " values, but " + file.path() + " takes " + std::to_string(facts.width) +
                                          ": they are no pair. Give the projector made for this model.");
    }
    const int64_t key = file.find_int(prefix + "attention.key_length").value_or(facts.width / heads);
    const int64_t value = file.find_int(prefix + "attention.value_length").value_or(facts.width / heads);
    facts.kv_bytes_per_position = 2ull * facts.layers * groups * (key + value);

    facts.name = file.find_string("general.name").value_or("");
    facts.vocabulary = static_cast<int>(*file.find_array_length("tokenizer.ggml.tokens"));
    facts.chat_template = choose_chat_template(file, chat_template);
    for (const std::shared_ptr<const GgufFile> & part : model) {
        facts.model_bytes += part->tensor_bytes();
        for (const ggml_tensor * tensor : part->tensors()) {
            facts.parameters += ggml_nelements(tensor);
        }
    }
    return facts;
}

}   // namespace vcap
