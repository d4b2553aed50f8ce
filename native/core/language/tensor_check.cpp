#include "core/language/tensor_check.h"

#include <string>
#include <unordered_map>
#include <utility>

namespace vcap {
namespace {

using Parts = std::vector<std::shared_ptr<const GgufFile>>;
using Shape = std::vector<int64_t>;

/** A shape of all of ggml's dimensions, for people: without the last ones of 1. */
std::string to_string(Shape shape) {
    while (shape.size() > 1 && shape.back() == 1) {
        shape.pop_back();
    }
    std::string text;
    for (const int64_t length : shape) {
        text += (text.empty() ? "" : " x ") + std::to_string(length);
    }
    return text;
}

/** The tensors of all parts by name; those that were asked for are ticked off. */
class Tensors {
public:
    explicit Tensors(const Parts & parts) : first_(*parts.front()) {
        for (const std::shared_ptr<const GgufFile> & part : parts) {
            for (const ggml_tensor * tensor : part->tensors()) {
                const auto [other, is_new] = found_.emplace(ggml_get_name(tensor), Found{tensor, part.get()});
                if (!is_new) {
                    part->invalid("tensor " + other->first + " is also in " + other->second.file->path() +
                                  "; expected the parts of one model");
                }
            }
        }
    }

    bool has(const std::string & name) const { return found_.count(name) > 0; }

    /** A matrix, of any type that ggml converts to float32. */
    void require_matrix(const std::string & name, const Shape & shape) {
        const Found & found = take(name, shape);
        const ggml_type type = found.tensor->type;
        // Of the types, NVFP4 alone has its scale in another tensor, which TokenEmbeddings knows nothing of.
        if (type == GGML_TYPE_NVFP4 || (type != GGML_TYPE_F32 && ggml_get_type_traits(type)->to_float == nullptr)) {
            found.file->invalid(
                "tensor " + name + " is of type " + ggml_type_name(type) +
                ", with which products cannot be computed; expected f32, f16, bf16 or a quantised type");
        }
    }
    /** A vector, which ggml adds or multiplies with float32. */
    void require_vector(const std::string & name, int64_t length) {
        const Found & found = take(name, {length});
        if (found.tensor->type != GGML_TYPE_F32) {
            found.file->invalid("tensor " + name + " is of type " + ggml_type_name(found.tensor->type) +
                                "; expected f32, as every vector");
        }
    }
    void find_matrix(const std::string & name, const Shape & shape) {
        if (has(name)) require_matrix(name, shape);
    }
    void find_vector(const std::string & name, int64_t length) {
        if (has(name)) require_vector(name, length);
    }

    /** Refuses a tensor that nobody asked for. */
    void require_no_others(const std::string & architecture) const {
        for (const auto & [name, found] : found_) {
            if (!found.taken) {
                found.file->invalid("tensor " + name + " is none that a model of the architecture " + architecture +
                                    " with these hyperparameters has");
            }
        }
    }

private:
    struct Found {
        const ggml_tensor * tensor;
        const GgufFile * file;
        bool taken = false;
    };

    const Found & take(const std::string & name, Shape shape) {
        shape.resize(GGML_MAX_DIMS, 1);
        const auto found = found_.find(name);
        if (found == found_.end()) {
            first_.invalid("tensor " + name + " is missing; expected one of " + to_string(shape));
        }
        const int64_t * lengths = found->second.tensor->ne;
        const Shape actual(lengths, lengths + GGML_MAX_DIMS);
        if (actual != shape) {
            found->second.file->invalid("tensor " + name + " is " + to_string(actual) + "; expected " +
                                        to_string(shape) + ", by the hyperparameters and the vocabulary");
        }
        found->second.taken = true;
        return found->second;
    }

    const GgufFile & first_;
    std::unordered_map<std::string, Found> found_;
};

/** A matrix's optional factors, which quantisers of some types write. */
void take_scales(Tensors & tensors, const std::string & name) {
    tensors.find_vector(name + ".scale", 1);
    tensors.find_vector(name + ".input_scale", 1);
}

void take_attention(Tensors & tensors, const std::string & block, const Hyperparameters & model) {
    const std::pair<std::string, int64_t> each[] = {{block + "attn_q", model.query_width()},
                                                    {block + "attn_k", model.kv_width()},
                                                    {block + "attn_v", model.kv_width()}};
    const std::string fused = block + "attn_qkv";
    const bool is_fused = tensors.has(fused + ".weight");
    const bool fused_bias = is_fused && tensors.has(fused + ".bias");
    if (is_fused) {
        const int64_t width = model.query_width() + 2 * model.kv_width();
        tensors.require_matrix(fused + ".weight", {model.width, width});
        tensors.find_vector(fused + ".bias", width);
        take_scales(tensors, fused);
    }
    for (const auto & [name, width] : each) {
        if (!is_fused) {
            tensors.require_matrix(name + ".weight", {model.width, width});
            take_scales(tensors, name);
        }
        if (!fused_bias) {
            tensors.find_vector(name + ".bias", width);
        }
    }
    tensors.require_matrix(block + "attn_output.weight", {model.query_width(), model.width});
    take_scales(tensors, block + "attn_output");
}

void take_block(Tensors & tensors, const std::string & block, const Hyperparameters & model) {
    tensors.require_vector(block + "attn_norm.weight", model.width);
    take_attention(tensors, block, model);
    tensors.require_vector(block + "ffn_norm.weight", model.width);
    const std::pair<std::string, Shape> matrices[] = {{block + "ffn_gate", {model.width, model.feed_forward}},
                                                      {block + "ffn_up", {model.width, model.feed_forward}},
                                                      {block + "ffn_down", {model.feed_forward, model.width}}};
    const bool biases = model.architecture == "llama";
    for (const auto & [name, shape] : matrices) {
        tensors.require_matrix(name + ".weight", shape);
        take_scales(tensors, name);
        if (biases) tensors.find_vector(name + ".bias", shape[1]);
    }
    if (biases) tensors.find_vector(block + "attn_output.bias", model.width);
}

}   // namespace

void check_tensors(const Parts & parts, const Hyperparameters & model, int64_t vocabulary) {
    Tensors tensors(parts);
    tensors.require_matrix("token_embd.weight", {model.width, vocabulary});
    tensors.require_vector("output_norm.weight", model.width);
    tensors.find_matrix("output.weight", {model.width, vocabulary});   // else the token embeddings are the output, too
    if (model.architecture == "qwen2") {
        tensors.find_vector("output.bias", vocabulary);
    } else if (model.long_rope) {
        tensors.find_vector("rope_factors_long.weight", model.head_width / 2);
        tensors.find_vector("rope_factors_short.weight", model.head_width / 2);
    } else {
        tensors.find_vector("rope_freqs.weight", model.head_width / 2);
    }
    for (int layer = 0; layer < model.layers; layer++) {
        take_block(tensors, "blk." + std::to_string(layer) + ".", model);
    }
    tensors.require_no_others(model.architecture);
}

}   // namespace vcap
