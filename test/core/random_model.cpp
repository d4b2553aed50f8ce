#include "random_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace random_model {
namespace {

using namespace gguf_bytes;

/** What a SentencePiece and what a BPE vocabulary begins with, and odd tokens. */
const std::vector<std::string> SPECIAL = {"<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<image>"};
const std::vector<std::string> ODD = {"",
                                      "[EMPTY_3]",
                                      std::string("a\0b", 3),
                                      "\xff\xfe",
                                      "\xf7\xbf\xbf\xbf",
                                      "\xed\xa0\x80",
                                      "<|tool_response>",
                                      "<|end|>",
                                      "<|return|>",
                                      "<|call|>",
                                      "<|channel|>",
                                      "<|endoftext|>",
                                      "<0x0A>",
                                      "\xe2\x96\x81",
                                      "<0xZZ>",
                                      "<>",
                                      " ",
                                      "\n",
                                      "unused",
                                      "<|fim_pad|>",
                                      "[PAD]",
                                      "<EOT>"};
const std::vector<std::string> PRE = {
    "default",      "llama-bpe",   "llama3",  "qwen2",      "gemma4",     "sarvam-moe",      "kimi-k2",    "gpt-2",
    "deepseek-llm", "starcoder",   "tekken",  "exaone-moe", "minicpm5",   "hunyuan",         "smollm",     "bloom",
    "gpt-4o",       "falcon",      "mpt",     "olmo",       "dbrx",       "refact",          "command-r",  "stablelm2",
    "poro-chat",    "chatglm-bpe", "viking",  "jais",       "jina-v2-de", "codeshell",       "exaone",     "phi-2",
    "chameleon",    "minerva-7b",  "megrez",  "superbpe",   "trillion",   "granite-docling", "bailingmoe", "llama4",
    "pixtral",      "seed-coder",  "a.x-4.0", "glm4",       "grok-2",     "afmoe",           "",           "none such"};

std::string utf8(uint32_t code) {
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 63))};
}

struct Vocabulary {
    std::vector<std::string> tokens = SPECIAL;
    std::vector<int32_t> types = {2, 3, 3, 3, 3, 3};
    std::vector<std::string> merges;

    void add(const std::string & token, int32_t type) {
        tokens.push_back(token);
        types.push_back(type);
    }
};

Vocabulary sentencepiece() {
    Vocabulary made;
    for (int byte = 0; byte < 256; byte++) {
        const char * hex = "0123456789ABCDEF";
        made.add({'<', '0', 'x', hex[byte / 16], hex[byte % 16], '>'}, 6);
    }
    for (const char * token : {"\xe2\x96\x81", "a", "b", "e", "h", "t", "th", "the", "\xe2\x96\x81the", "he"}) {
        made.add(token, 1);
    }
    return made;
}

Vocabulary byte_level() {
    Vocabulary made;
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; byte++) {
        const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        made.add(utf8(printable ? byte : next++), 1);
    }
    for (const auto & [left, right] : {std::pair{"t", "h"}, {"th", "e"}, {"\xc4\xa0", "the"}}) {
        made.add(std::string(left) + right, 1);
        made.merges.push_back(std::string(left) + " " + right);
    }
    return made;
}

struct Shape {
    bool qwen2;
    uint32_t layers, heads, kv_heads, head, feed_forward, width;
};

Shape random_shape(std::mt19937 & random) {
    Shape shape{};
    shape.qwen2 = below(random, 2) == 0;
    shape.layers = static_cast<uint32_t>(1 + below(random, 2));
    shape.head = pick<uint32_t>(random, {2, 4, 6, 8, 16, 20, 32, 40, 64, 128});
    shape.kv_heads = static_cast<uint32_t>(1 + below(random, 3));
    shape.heads = shape.kv_heads * static_cast<uint32_t>(1 + below(random, 3));
    shape.width = shape.heads * shape.head;
    if (!shape.qwen2 && below(random, 4) == 0) {
        shape.width = pick<uint32_t>(random, {1, 3, 8, 32, 48});
    }
    shape.feed_forward = pick<uint32_t>(random, {1, 5, 16, 32, 64, 256});
    return shape;
}

/** Values of a type in random blocks; those of F32 small, unless they are to be anything. */
std::string random_data(std::mt19937 & random, uint32_t type, uint64_t elements) {
    const auto kind = static_cast<ggml_type>(type);
    std::string data(elements / ggml_blck_size(kind) * ggml_type_size(kind), '\0');
    if (kind == GGML_TYPE_F32) {
        for (size_t i = 0; i + 4 <= data.size(); i += 4) {
            const float value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 4000;
            std::memcpy(&data[i], &value, 4);
        }
    } else {
        for (char & byte : data) byte = static_cast<char>(random() % 64);
    }
    return data;
}

uint32_t random_type(std::mt19937 & random, uint64_t row) {
    const auto type = pick<uint32_t>(random, {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                                              GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                                              GGML_TYPE_Q4_K, GGML_TYPE_Q2_K, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ2_XXS,
                                              GGML_TYPE_IQ1_S, GGML_TYPE_IQ3_S, GGML_TYPE_TQ1_0, GGML_TYPE_MXFP4});
    return row % ggml_blck_size(static_cast<ggml_type>(type)) == 0 ? type : uint32_t{GGML_TYPE_F16};
}

/** Adds tensors of random values to a file. */
struct TensorWriter {
    File & file;
    std::mt19937 & random;

    void matrix(const std::string & name, uint64_t row, uint64_t rows) {
        const uint32_t type = below(random, 3) > 0 ? uint32_t{GGML_TYPE_F32} : random_type(random, row);
        file.tensors.push_back({name, {row, rows}, type, random_data(random, type, row * rows)});
    }
    void vector(const std::string & name, uint64_t length) {
        file.tensors.push_back({name, {length}, GGML_TYPE_F32, random_data(random, GGML_TYPE_F32, length)});
    }
    void sometimes_vector(const std::string & name, uint64_t length) {
        if (below(random, 4) == 0) vector(name, length);
    }
};

void add_block(TensorWriter & write, const Shape & shape, const std::string & block) {
    const uint64_t query = uint64_t{shape.heads} * shape.head;
    const uint64_t kv = uint64_t{shape.kv_heads} * shape.head;
    write.vector(block + "attn_norm.weight", shape.width);
    if (below(write.random, 5) == 0) {
        write.matrix(block + "attn_qkv.weight", shape.width, query + 2 * kv);
        write.sometimes_vector(block + "attn_qkv.bias", query + 2 * kv);
    } else {
        write.matrix(block + "attn_q.weight", shape.width, query);
        write.matrix(block + "attn_k.weight", shape.width, kv);
        write.matrix(block + "attn_v.weight", shape.width, kv);
        write.sometimes_vector(block + "attn_q.bias", query);
        write.sometimes_vector(block + "attn_k.bias", kv);
        write.sometimes_vector(block + "attn_v.bias", kv);
    }
    write.matrix(block + "attn_output.weight", query, shape.width);
    write.vector(block + "ffn_norm.weight", shape.width);
    write.matrix(block + "ffn_gate.weight", shape.width, shape.feed_forward);
    write.matrix(block + "ffn_up.weight", shape.width, shape.feed_forward);
    write.matrix(block + "ffn_down.weight", shape.feed_forward, shape.width);
    write.sometimes_vector(block + "ffn_down.scale", 1);
    if (!shape.qwen2) {
        write.sometimes_vector(block + "ffn_up.bias", shape.feed_forward);
        write.sometimes_vector(block + "attn_output.bias", shape.width);
    }
}

void add_tensors(File & file, const Shape & shape, size_t vocabulary, std::mt19937 & random) {
    TensorWriter write{file, random};
    write.matrix("token_embd.weight", shape.width, vocabulary);
    write.vector("output_norm.weight", shape.width);
    if (below(random, 2) == 0) write.matrix("output.weight", shape.width, vocabulary);
    if (shape.qwen2) write.sometimes_vector("output.bias", vocabulary);
    if (!shape.qwen2) write.sometimes_vector("rope_freqs.weight", shape.head / 2);
    for (uint32_t layer = 0; layer < shape.layers; layer++) {
        add_block(write, shape, "blk." + std::to_string(layer) + ".");
    }
}

void add_vocabulary(File & file, const Vocabulary & vocabulary, bool bpe, std::mt19937 & random) {
    const std::string key = "tokenizer.ggml.";
    file.keys.push_back(string(key + "model", bpe ? "gpt2" : "llama"));
    file.keys.push_back(strings(key + "tokens", vocabulary.tokens));
    file.keys.push_back(list(key + "token_type", GGUF_TYPE_INT32, vocabulary.types));
    if (bpe) {
        file.keys.push_back(strings(key + "merges", vocabulary.merges));
        file.keys.push_back(string(key + "pre", below(random, 2) == 0 ? "qwen2" : PRE[below(random, PRE.size())]));
    } else {
        std::vector<float> scores(vocabulary.tokens.size());
        for (size_t i = 0; i < scores.size(); i++) scores[i] = -static_cast<float>(i);
        file.keys.push_back(list(key + "scores", GGUF_TYPE_FLOAT32, scores));
    }
    file.keys.push_back(u32(key + "bos_token_id", 1));
    file.keys.push_back(u32(key + "eos_token_id", 2));
    file.keys.push_back(u32(key + "unknown_token_id", 0));
    file.keys.push_back(boolean(key + "add_bos_token", below(random, 2) == 0));
}

/** Names that llama.cpp or we look at, besides those that make() sets; %s is the architecture. */
const std::vector<std::string> OTHER_KEYS = {"general.alignment",
                                             "general.file_type",
                                             "general.quantization_version",
                                             "split.no",
                                             "split.count",
                                             "split.tensors.count",
                                             "tokenizer.ggml.eot_token_id",
                                             "tokenizer.ggml.eom_token_id",
                                             "tokenizer.ggml.padding_token_id",
                                             "tokenizer.ggml.mask_token_id",
                                             "tokenizer.ggml.fim_pre_token_id",
                                             "tokenizer.ggml.fim_sep_token_id",
                                             "tokenizer.ggml.prefix_token_id",
                                             "tokenizer.ggml.add_eos_token",
                                             "tokenizer.ggml.add_sep_token",
                                             "tokenizer.ggml.add_space_prefix",
                                             "tokenizer.ggml.remove_extra_whitespaces",
                                             "tokenizer.ggml.token_type_count",
                                             "tokenizer.ggml.suppress_tokens",
                                             "tokenizer.ggml.normalizer.lowercase",
                                             "tokenizer.ggml.precompiled_charsmap",
                                             "tokenizer.chat_template",
                                             "%s.embedding_length_out",
                                             "%s.attention.causal",
                                             "%s.pooling_type",
                                             "%s.nextn_predict_layers",
                                             "%s.expert_count",
                                             "%s.expert_used_count",
                                             "%s.expert_group_count",
                                             "%s.expert_group_used_count",
                                             "%s.attention.key_length",
                                             "%s.attention.value_length",
                                             "%s.attention.key_length_swa",
                                             "%s.attention.value_length_swa",
                                             "%s.attention.sliding_window",
                                             "%s.attention.sliding_window_pattern",
                                             "%s.attention.scale",
                                             "%s.attention.clamp_kqv",
                                             "%s.attention.max_alibi_bias",
                                             "%s.rope.dimension_count_swa",
                                             "%s.rope.dimension_sections",
                                             "%s.rope.scaling.type",
                                             "%s.rope.scaling.factor",
                                             "%s.rope.scale_linear",
                                             "%s.rope.scaling.attn_factor",
                                             "%s.rope.scaling.alpha",
                                             "%s.rope.scaling.original_context_length",
                                             "%s.rope.scaling.finetuned",
                                             "%s.rope.scaling.yarn_log_multiplier",
                                             "%s.rope.scaling.yarn_ext_factor",
                                             "%s.rope.freq_base_swa",
                                             "%s.classifier.output_labels",
                                             "%s.vocab_size",
                                             "%s.logit_scale",
                                             "%s.final_logit_softcapping",
                                             "%s.n_deepstack_layers",
                                             "%s.attention.shared_kv_layers",
                                             "%s.expert_shared_count"};

std::string architecture_of(File & file) {
    const Key * key = file.find("general.architecture");
    return key != nullptr && key->value.size() > 8 ? key->value.substr(8) : "llama";
}

uint64_t random_number(std::mt19937 & random) {
    switch (below(random, 4)) {
        case 0: return below(random, 4);
        case 1: return below(random, 300);
        case 2: return UINT64_MAX >> below(random, 64);
        default: return uint64_t{1} << below(random, 64);
    }
}

template <typename Float>
std::string random_float(std::mt19937 & random) {
    using Limits = std::numeric_limits<Float>;
    const auto some = static_cast<Float>(below(random, 100)) / 10;
    return raw(pick<Float>(random, {0, -1, 1, some, 1000, Limits::max(), Limits::min(), Limits::denorm_min(),
                                    Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}));
}

std::string random_text(std::mt19937 & random) {
    switch (below(random, 5)) {
        case 0: return ODD[below(random, ODD.size())];
        case 1: return PRE[below(random, PRE.size())];
        case 2: return std::string(below(random, 70000), static_cast<char>(random()));
        case 3:
            return pick<const char *>(random,
                                      {"llama",      "qwen2",  "clip",   "gpt2",     "bert",   "t5",     "none",
                                       "no_vocab",   "linear", "yarn",   "longrope", "phi-3",  "vicuna", "hybriddna",
                                       "whitespace", "rwkv",   "plamo2", "test",     "gemma4", "mistral"});
        default: {
            std::string bytes(below(random, 12), '\0');
            for (char & byte : bytes) byte = static_cast<char>(random());
            return bytes;
        }
    }
}

std::string random_value(std::mt19937 & random, uint32_t type) {
    switch (type) {
        case GGUF_TYPE_STRING: return text(random_text(random));
        case GGUF_TYPE_FLOAT32: return random_float<float>(random);
        case GGUF_TYPE_FLOAT64: return random_float<double>(random);
        case GGUF_TYPE_BOOL:
        case GGUF_TYPE_UINT8:
        case GGUF_TYPE_INT8: return raw<uint8_t>(static_cast<uint8_t>(random_number(random)));
        case GGUF_TYPE_UINT16:
        case GGUF_TYPE_INT16: return raw<uint16_t>(static_cast<uint16_t>(random_number(random)));
        case GGUF_TYPE_UINT32:
        case GGUF_TYPE_INT32: return raw<uint32_t>(static_cast<uint32_t>(random_number(random)));
        default: return raw<uint64_t>(random_number(random));
    }
}

Key random_key(std::mt19937 & random, const std::string & name) {
    Key key{name, static_cast<uint32_t>(below(random, 14)), ""};
    if (below(random, 4) == 0) {
        key.list = true;
        key.count = below(random, 6);
        for (uint64_t i = 0; i < key.count; i++) key.value += random_value(random, key.type);
    } else {
        key.value = random_value(random, key.type);
    }
    return key;
}

/** The strings of a list, to be changed and written back with strings(). */
std::vector<std::string> unpack(const Key & key) {
    std::vector<std::string> values;
    for (size_t at = 0; at + 8 <= key.value.size();) {
        uint64_t length;
        std::memcpy(&length, &key.value[at], 8);
        if (length > key.value.size() - at - 8) break;
        values.push_back(key.value.substr(at + 8, length));
        at += 8 + length;
    }
    return values;
}

void mutate_strings(Key & key, std::mt19937 & random) {
    std::vector<std::string> values = unpack(key);
    if (values.empty()) return;
    const size_t at = below(random, values.size());
    switch (below(random, 6)) {
        case 0: values[at] = values[below(random, values.size())]; break;   // twice
        case 1: values.resize(at); break;
        case 2: values.push_back(random_text(random)); break;
        case 3: values.erase(values.begin() + static_cast<std::ptrdiff_t>(at)); break;
        default: values[at] = random_text(random); break;
    }
    key = strings(key.name, values);
}

void mutate_list(Key & key, std::mt19937 & random) {
    const size_t size = key.count > 0 ? key.value.size() / key.count : 0;
    if (size == 0) return;
    const size_t at = below(random, key.count);
    switch (below(random, 4)) {
        case 0: key.count = at, key.value.resize(at * size); break;
        case 1: key.count++, key.value += random_value(random, key.type).substr(0, size); break;
        case 2: key.type = static_cast<uint32_t>(below(random, 14)); break;
        default: key.value.replace(at * size, size, random_value(random, key.type)); break;
    }
}

void mutate_key(File & file, std::mt19937 & random) {
    Key & key = file.keys[below(random, file.keys.size())];
    switch (below(random, 8)) {
        case 0: file.keys.erase(file.keys.begin() + (&key - file.keys.data())); break;
        case 1: key = random_key(random, key.name); break;
        case 2: file.keys.push_back(random_key(random, key.name)); break;
        case 3: key.name = random_text(random); break;
        default:
            if (key.list && key.type == GGUF_TYPE_STRING) {
                mutate_strings(key, random);
            } else if (key.list) {
                mutate_list(key, random);
            } else {
                key.value = random_value(random, key.type);
            }
    }
}

/** The value of another key, such as the embedding width for the number of heads: numbers that fit somewhere. */
void add_other_key(File & file, std::mt19937 & random) {
    std::string name = OTHER_KEYS[below(random, OTHER_KEYS.size())];
    if (name[0] == '%') name.replace(0, 2, architecture_of(file));
    Key key = random_key(random, name);
    if (below(random, 2) == 0) {
        const Key & other = file.keys[below(random, file.keys.size())];
        key = other;
        key.name = name;
    }
    file.keys.push_back(key);
}

void change_tensor_type(Tensor & tensor, std::mt19937 & random) {
    tensor.type = static_cast<uint32_t>(below(random, GGML_TYPE_COUNT + 2));
    const auto type = static_cast<ggml_type>(tensor.type);
    if (tensor.type >= GGML_TYPE_COUNT || ggml_blck_size(type) == 0) return;
    uint64_t elements = 1;
    for (const uint64_t length : tensor.shape) elements *= std::min<uint64_t>(length, 4096);
    tensor.data.resize(elements / ggml_blck_size(type) * ggml_type_size(type), 1);
}

void mutate_tensor(File & file, std::mt19937 & random) {
    Tensor & tensor = file.tensors[below(random, file.tensors.size())];
    switch (below(random, 9)) {
        case 0: file.tensors.erase(file.tensors.begin() + (&tensor - file.tensors.data())); break;
        case 1: file.tensors.push_back(Tensor(tensor)); break;
        case 2: tensor.name = random_text(random).substr(0, 70); break;
        case 3:
            if (!tensor.shape.empty()) tensor.shape[below(random, tensor.shape.size())] = random_number(random);
            break;
        case 4: tensor.shape.resize(below(random, 6), 1); break;
        case 5: tensor.offset_error = static_cast<int64_t>(random_number(random)); break;
        case 6: std::swap(tensor.name, file.tensors[below(random, file.tensors.size())].name); break;
        case 7: {
            const char * suffix = pick<const char *>(random, {".bias", ".scale", ".input_scale", ".weight"});
            file.tensors.push_back({tensor.name.substr(0, tensor.name.rfind('.')) + suffix,
                                    {1},
                                    GGML_TYPE_F32,
                                    random_data(random, GGML_TYPE_F32, 1)});
            break;
        }
        default: change_tensor_type(tensor, random);
    }
}

}   // namespace

File make(std::mt19937 & random) {
    File file;
    const Shape shape = random_shape(random);
    const bool bpe = below(random, 2) == 0;
    const std::string prefix = shape.qwen2 ? "qwen2." : "llama.";
    const Vocabulary vocabulary = bpe ? byte_level() : sentencepiece();
    file.keys = {string("general.architecture", shape.qwen2 ? "qwen2" : "llama"),
                 string("general.name", "vicuna of some bytes"),
                 u32(prefix + "context_length", 512),
                 u32(prefix + "embedding_length", shape.width),
                 u32(prefix + "block_count", shape.layers),
                 u32(prefix + "feed_forward_length", shape.feed_forward),
                 u32(prefix + "attention.head_count", shape.heads),
                 u32(prefix + "attention.head_count_kv", shape.kv_heads),
                 u32(prefix + "attention.key_length", shape.head),
                 u32(prefix + "attention.value_length", shape.head),
                 f32(prefix + "attention.layer_norm_rms_epsilon", 1e-5f),
                 f32(prefix + "rope.freq_base", 1e4f),
                 u32(prefix + "rope.dimension_count", shape.head)};
    if (below(random, 4) == 0) {
        file.keys.push_back(
            string(prefix + "rope.scaling.type", pick<const char *>(random, {"linear", "yarn", "none"})));
        file.keys.push_back(f32(prefix + "rope.scaling.factor", 2));
    }
    add_vocabulary(file, vocabulary, bpe, random);
    add_tensors(file, shape, vocabulary.tokens.size(), random);
    return file;
}

File split(File & file, std::mt19937 & random) {
    File rest;
    const auto from = file.tensors.begin() + static_cast<std::ptrdiff_t>(below(random, file.tensors.size() + 1));
    const auto count = static_cast<int32_t>(file.tensors.size());
    rest.tensors.assign(from, file.tensors.end());
    file.tensors.erase(from, file.tensors.end());
    for (const uint16_t number : {0, 1}) {
        std::vector<Key> & keys = number == 0 ? file.keys : rest.keys;
        keys.push_back(u16("split.no", number));
        keys.push_back(u16("split.count", 2));
        keys.push_back(i32("split.tensors.count", count));
    }
    return rest;
}

void mutate(File & file, std::mt19937 & random) {
    const uint64_t kind = below(random, 10);
    if (kind < 5 && !file.keys.empty()) {
        mutate_key(file, random);
    } else if (kind < 7) {
        add_other_key(file, random);
    } else if (!file.tensors.empty()) {
        mutate_tensor(file, random);
    }
}

void mutate_bytes(std::string & bytes, size_t header, std::mt19937 & random) {
    const size_t at = below(random, header);
    switch (below(random, 5)) {
        case 0: bytes[at] = static_cast<char>(random()); break;
        case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8))); break;
        case 2: bytes.resize(below(random, 4) == 0 ? at : below(random, bytes.size())); break;
        case 3: {
            const uint64_t value = random_number(random);
            std::memcpy(&bytes[std::min(at, header - 8)], &value, 8);
            break;
        }
        default: bytes.replace(at, 1, std::string(1 + below(random, 16), bytes[below(random, header)]));
    }
}

}   // namespace random_model
