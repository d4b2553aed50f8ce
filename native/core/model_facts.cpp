#include "core/model_facts.h"

#include "core/error.h"
#include "core/language/tokenizer.h"
#include "llama.h"

namespace vcap {
namespace {

// Parts of a split model that are opened at most, so that a damaged header cannot ask for millions of files.
constexpr int64_t MAX_PARTS = 1000;

/**
 * Refuses, with a message of ours, a file that llama.cpp would abort on or load without being able to answer: a
 * projector, an architecture that LLaVA does not use, a model without a tokenizer.
 */
void check_language_model(const GgufFile & file, const std::string & architecture) {
    if (architecture == "clip") {
        file.invalid("this is a vision projector, not a language model; the two files may have changed places");
    }
    // Every row of a batch is an embedding that we look up (TokenEmbeddings). These two architectures take it as it is;
    // others, such as Gemma, scale the embeddings of tokens and would need the same of ours.
    if (architecture != "llama" && architecture != "qwen2") {
        file.invalid("general.architecture is '" + architecture + "'; LLaVA's language models are llama or qwen2");
    }
    if (!file.has("tokenizer.ggml.model") || file.find_array_length("tokenizer.ggml.tokens").value_or(0) == 0) {
        file.invalid("it has no tokenizer (tokenizer.ggml.model and tokenizer.ggml.tokens)");
    }
}

bool contains(const std::string & text, const std::string & part) { return text.find(part) != std::string::npos; }

}   // namespace

std::vector<std::shared_ptr<const GgufFile>> open_model_files(const std::string & path) {
    std::vector<std::shared_ptr<const GgufFile>> files{std::make_shared<const GgufFile>(path)};
    const int64_t parts = files.front()->find_int("split.count").value_or(1);
    if (parts <= 1) {
        return files;
    }
    if (parts > MAX_PARTS) {
        files.front()->invalid("split.count is " + std::to_string(parts) + ", more than " + std::to_string(MAX_PARTS));
    }
    std::string prefix(path.size() + 1, '\0');
    if (llama_split_prefix(prefix.data(), prefix.size(), path.c_str(), 0, static_cast<int32_t>(parts)) == 0) {
        files.front()->invalid("it has " + std::to_string(parts) +
                               " parts; give the first one, whose name ends in -00001-of-NNNNN.gguf");
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
    const std::string kv_heads_key = prefix + "attention.head_count_kv";
    const int64_t kv_heads = file.has(kv_heads_key) ? file.require_int(kv_heads_key, 1, heads) : heads;
    if (heads % kv_heads != 0 || (facts.width % heads != 0 && !file.has(prefix + "attention.key_length"))) {
        file.invalid(prefix + "attention.head_count is " + std::to_string(heads) +
                     ", which is no multiple of attention.head_count_kv (" + std::to_string(kv_heads) +
                     ") or no divisor of embedding_length (" + std::to_string(facts.width) + ")");
    }
    if (facts.vision.feature_width != facts.width) {
        throw Error("model_mismatch",
                    "The projector " + mmproj.path() + " projects to " + std::to_string(facts.vision.feature_width) +
                        " values, but the language model " + file.path() + " takes " + std::to_string(facts.width) +
                        " for an embedding. Give the projector that was made for this model");
    }
    const int64_t key_length = file.find_int(prefix + "attention.key_length").value_or(facts.width / heads);
    const int64_t value_length = file.find_int(prefix + "attention.value_length").value_or(facts.width / heads);
    facts.kv_bytes_per_position = sizeof(ggml_fp16_t) * facts.layers * kv_heads * (key_length + value_length);

    facts.name = file.find_string("general.name").value_or("");
    facts.vocabulary = static_cast<int>(*file.find_array_length("tokenizer.ggml.tokens"));
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
