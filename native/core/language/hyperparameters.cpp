#include "core/language/hyperparameters.h"

#include <cmath>
#include <sstream>

namespace vcap {
namespace {

// llama.cpp's LLAMA_MAX_LAYERS, an array's length there.
constexpr int64_t MAX_LAYERS = 512;
// Far beyond every model, and small enough that no product of two of them overflows.
constexpr int64_t MAX_WIDTH = 1 << 20;
constexpr int64_t MAX_HEADS = 1 << 16;
constexpr int64_t MAX_HEAD_WIDTH = 1024;

/** Reads the keys of one architecture, each under its prefix. */
class Keys {
public:
    Keys(const GgufFile & file, const std::string & architecture) : file_(file), prefix_(architecture + ".") {}

    /** llama.cpp takes these keys as uint32 and nothing else. */
    int64_t require_int(const std::string & key, int64_t low, int64_t high) const {
        file_.require_type(prefix_ + key, GGUF_TYPE_UINT32);
        return file_.require_int(prefix_ + key, low, high);
    }

    int64_t find_int(const std::string & key, int64_t otherwise, int64_t low, int64_t high) const {
        return file_.has(prefix_ + key) ? require_int(key, low, high) : otherwise;
    }

    /** Refuses a key that is there and is not `wanted`; `why` says what such a model is. */
    void require_value(const std::string & key, int64_t wanted, const std::string & why) const {
        const int64_t value = find_int(key, wanted, 0, UINT32_MAX);
        if (value != wanted) {
            file_.invalid(prefix_ + key + " is " + std::to_string(value) + "; expected " + std::to_string(wanted) +
                          ", since " + why);
        }
    }

    /** Refuses a float32 that is there and not within the bounds. */
    void check_float(const std::string & key, double low, double high) const {
        file_.require_type(prefix_ + key, GGUF_TYPE_FLOAT32);
        const double value = file_.find_float(prefix_ + key).value_or(low);
        if (!(value >= low && value <= high)) {
            std::ostringstream text;
            text << prefix_ << key << " is " << value << ", not within " << low << " to " << high;
            file_.invalid(text.str());
        }
    }

    std::string name(const std::string & key) const { return prefix_ + key; }

private:
    const GgufFile & file_;
    std::string prefix_;
};

void read_heads(const GgufFile & file, const Keys & keys, Hyperparameters & model) {
    model.heads = keys.require_int("attention.head_count", 1, MAX_HEADS);
    model.kv_heads = keys.find_int("attention.head_count_kv", model.heads, 1, model.heads);
    const bool stated = file.has(keys.name("attention.key_length"));
    if (model.heads % model.kv_heads != 0 || (model.width % model.heads != 0 && !stated)) {
        file.invalid(keys.name("attention.head_count") + " is " + std::to_string(model.heads) +
                     ", which is no multiple of attention.head_count_kv (" + std::to_string(model.kv_heads) +
                     ") or no divisor of embedding_length (" + std::to_string(model.width) + ")");
    }
    model.head_width = keys.find_int("attention.key_length", model.width / model.heads, 1, MAX_HEAD_WIDTH);
    // Rotary position embedding turns pairs.
    if (model.head_width > MAX_HEAD_WIDTH || model.head_width % 2 != 0) {
        file.invalid("an attention head has " + std::to_string(model.head_width) +
                     " values (embedding_length / attention.head_count, or attention.key_length); expected an even " +
                     "number up to " + std::to_string(MAX_HEAD_WIDTH));
    }
    if (model.architecture == "qwen2" && model.query_width() != model.width) {
        file.invalid(keys.name("attention.head_count") + " heads of " + std::to_string(model.head_width) +
                     " values have " + std::to_string(model.query_width()) + " values; expected embedding_length, " +
                     std::to_string(model.width));
    }
    for (const char * key : {"attention.value_length", "attention.key_length_swa", "attention.value_length_swa",
                             "rope.dimension_count", "rope.dimension_count_swa"}) {
        if (std::string(key) == "attention.value_length" && !file.has(keys.name(key)) &&
            model.width / model.heads != model.head_width) {
            file.invalid(keys.name(key) + " is missing; expected " + std::to_string(model.head_width) +
                         ", as attention.key_length");
        }
        keys.require_value(key, model.head_width, "an attention head has so many values");
    }
}

void check_rope(const GgufFile & file, const Keys & keys, Hyperparameters & model) {
    keys.check_float("rope.freq_base", 1, 1e12);
    for (const char * key : {"rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor"}) {
        keys.check_float(key, 0, 1e6);
    }
    keys.check_float("rope.scaling.alpha", -1e6, 1e6);
    keys.find_int("rope.scaling.original_context_length", 1, 1, INT32_MAX);
    file.require_type(keys.name("rope.scaling.finetuned"), GGUF_TYPE_BOOL);
    const std::string type = file.find_string(keys.name("rope.scaling.type")).value_or("linear");
    if (type != "none" && type != "linear" && type != "yarn" && type != "longrope") {
        file.invalid(keys.name("rope.scaling.type") + " is '" + type + "'; expected none, linear, yarn or longrope");
    }
    model.long_rope = type == "longrope";
}

/** Refuses what llama.cpp computes and LLaVA's language models do not have: it would be untested, and some of it
 * aborts.
 */
void check_kind(const GgufFile & file, const Keys & keys, const Hyperparameters & model) {
    for (const char * key : {"expert_count", "expert_used_count", "expert_group_count", "expert_group_used_count"}) {
        keys.require_value(key, 0, "mixtures of experts are not supported");
    }
    keys.require_value("nextn_predict_layers", 0, "models that predict several tokens are not supported");
    keys.require_value("pooling_type", 0, "models that pool embeddings write no text");
    keys.require_value("embedding_length_out", model.width, "the output is as wide as the input");
    if (!file.find_bool(keys.name("attention.causal")).value_or(true)) {
        file.invalid(keys.name("attention.causal") + " is false; expected true, since others write no text");
    }
    if (file.has(keys.name("classifier.output_labels"))) {
        file.invalid("it has " + keys.name("classifier.output_labels") + ", as classifiers have, which write no text");
    }
}

}   // namespace

std::string read_architecture(const GgufFile & file) {
    const std::string architecture = file.find_string("general.architecture").value_or("");
    if (architecture == "clip") {
        file.invalid("this is a vision projector, not a language model; the two files may have changed places");
    }
    // Every row of a batch is an embedding that we look up (TokenEmbeddings). These two architectures take it as it is;
    // others, such as Gemma, scale the embeddings of tokens and would need the same of ours.
    if (architecture != "llama" && architecture != "qwen2") {
        file.invalid("general.architecture is '" + architecture + "'; LLaVA's language models are llama or qwen2");
    }
    return architecture;
}

Hyperparameters read_hyperparameters(const GgufFile & file) {
    Hyperparameters model;
    model.architecture = read_architecture(file);
    const Keys keys(file, model.architecture);
    file.require_type("general.name", GGUF_TYPE_STRING);
    file.require_type("general.file_type", GGUF_TYPE_UINT32);
    model.layers = static_cast<int>(keys.require_int("block_count", 1, MAX_LAYERS));
    model.context = static_cast<int>(keys.require_int("context_length", 1, INT32_MAX));
    model.width = keys.require_int("embedding_length", 1, MAX_WIDTH);
    model.feed_forward = keys.require_int("feed_forward_length", 1, MAX_WIDTH * 8);
    keys.find_int("vocab_size", 1, 0, UINT32_MAX);
    read_heads(file, keys, model);
    check_rope(file, keys, model);
    check_kind(file, keys, model);
    if (!file.has(keys.name("attention.layer_norm_rms_epsilon"))) {
        file.invalid(keys.name("attention.layer_norm_rms_epsilon") + " is missing");
    }
    keys.check_float("attention.layer_norm_rms_epsilon", 0, 1);
    return model;
}

}   // namespace vcap
