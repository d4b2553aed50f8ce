#include "core/language/vocabulary_check.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/language/utf8.h"
#include "core/text.h"
#include "llama.h"

namespace vcap {
namespace {

const std::string KEY = "tokenizer.ggml.";

// llama.cpp decodes each token of a BPE vocabulary once, and writes the whole token again for every character of it
// that stands for no byte. Characters that all tokens together may come to.
constexpr uint64_t MAX_DECODED = uint64_t{1} << 28;

/** A vocabulary as llama.cpp indexes it: each token once, an empty one by a name of its own. */
class Tokens {
public:
    explicit Tokens(const GgufFile & file) : texts_(file.find_strings(KEY + "tokens").value_or(Texts())) {
        if (texts_.empty() || texts_.size() > INT32_MAX) {
            file.invalid(KEY + "tokens has " + std::to_string(texts_.size()) + " tokens; expected a vocabulary");
        }
        ids_.reserve(texts_.size());
        for (size_t id = 0; id < texts_.size(); id++) {
            add(file, texts_[id].empty() ? "[EMPTY_" + std::to_string(id) + "]" : std::string(texts_[id]), id);
        }
    }

    size_t count() const { return texts_.size(); }
    std::string_view text(size_t id) const { return texts_[id]; }
    bool has(const std::string & text) const { return ids_.count(text) > 0; }

private:
    using Texts = std::vector<std::string_view>;

    void add(const GgufFile & file, std::string text, size_t id) {
        const auto [other, is_new] = ids_.emplace(std::move(text), id);
        if (!is_new) {
            file.invalid(KEY + "tokens has '" + valid_utf8(other->first) + "' twice, as tokens " +
                         std::to_string(other->second) + " and " + std::to_string(id) +
                         "; expected each token once: convert the model again");
        }
    }

    Texts texts_;
    std::unordered_map<std::string, size_t> ids_;
};

void check_length(const GgufFile & file, const std::string & key, size_t tokens) {
    const size_t length = file.find_array_length(key).value_or(tokens);
    if (length != tokens) {
        file.invalid(key + " has " + std::to_string(length) + " values; expected " + std::to_string(tokens) +
                     ", one for each of tokenizer.ggml.tokens");
    }
}

void check_scores(const GgufFile & file, size_t tokens) {
    const std::string key = KEY + "scores";
    file.require_list(key, {GGUF_TYPE_FLOAT32, GGUF_TYPE_INT32});
    check_length(file, key, tokens);
    if (file.find_list_type(key) != GGUF_TYPE_FLOAT32) {
        return;
    }
    const std::vector<double> scores = *file.find_floats(key);
    const auto bad = std::find_if(scores.begin(), scores.end(), [](double score) { return std::isnan(score); });
    if (bad != scores.end()) {
        file.invalid(key + " has no number for token " + std::to_string(bad - scores.begin()) + "; expected a score");
    }
}

/** The value of a byte token such as "<0x0A>"; -1 for another text. */
int byte_value(std::string_view text) {
    if (text.size() != 6 || text.substr(0, 3) != "<0x" || text.back() != '>') {
        return -1;
    }
    const std::string digits(text.substr(3, 2));
    const bool hexadecimal =
        std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isxdigit(c); });
    return hexadecimal ? std::stoi(digits, nullptr, 16) : -1;
}

std::vector<int64_t> check_types(const GgufFile & file, const Tokens & tokens) {
    const std::string key = KEY + "token_type";
    file.require_list(key, {GGUF_TYPE_INT32});
    check_length(file, key, tokens.count());
    const std::vector<int64_t> types =
        file.find_ints(key).value_or(std::vector<int64_t>(tokens.count(), LLAMA_TOKEN_TYPE_NORMAL));
    for (size_t id = 0; id < types.size(); id++) {
        if (types[id] == LLAMA_TOKEN_TYPE_BYTE && byte_value(tokens.text(id)) < 0) {
            file.invalid(key + " says that token " + std::to_string(id) + ", '" +
                         valid_utf8(std::string(tokens.text(id))) + "', is a byte; expected a text such as <0x0A>");
        }
    }
    return types;
}

/** SentencePiece spells by bytes what no token has: llama.cpp throws, in a row, where it finds none for a byte. */
void check_bytes(const GgufFile & file, const Tokens & tokens) {
    for (int byte = 0; byte < 256; byte++) {
        const char * hex = "0123456789ABCDEF";
        const std::string name = {'<', '0', 'x', hex[byte / 16], hex[byte % 16], '>'};
        if (!tokens.has(name) && !(byte > 0 && tokens.has(std::string(1, static_cast<char>(byte))))) {
            file.invalid(KEY + "tokens has no byte token " + name +
                         ", as SentencePiece vocabularies need it for what no other token spells; expected all of " +
                         "<0x00> to <0xFF>: convert the model again");
        }
    }
}

void check_merges(const GgufFile & file) {
    const std::string key = KEY + "merges";
    if (!file.has(key)) {
        file.invalid(key + " is missing; expected the merges of a BPE vocabulary (tokenizer.ggml.model is 'gpt2')");
    }
    file.require_list(key, {GGUF_TYPE_STRING});
    const std::vector<std::string_view> merges = *file.find_strings(key);
    for (size_t i = 0; i < merges.size(); i++) {
        const size_t space = merges[i].find(' ', 1);
        if (merges[i].empty() || space == std::string_view::npos || space + 1 == merges[i].size()) {
            file.invalid(key + " has '" + valid_utf8(std::string(merges[i])) + "' as number " + std::to_string(i) +
                         "; expected two parts with a space between them");
        }
    }
}

/** Whether a character is one by which BPE vocabularies write a byte: printable Latin-1, or U+0100 to U+0143. */
bool stands_for_byte(uint32_t code) {
    return (code >= 0x21 && code <= 0x7e) || (code >= 0xa1 && code <= 0xac) || (code >= 0xae && code <= 0x143);
}

void check_bpe_tokens(const GgufFile & file, const Tokens & tokens, const std::vector<int64_t> & types) {
    uint64_t decoded = 0;
    for (size_t id = 0; id < tokens.count(); id++) {
        const std::string text(tokens.text(id));
        if (valid_utf8(text) != text) {
            file.invalid(KEY + "tokens has '" + valid_utf8(text) + "' as token " + std::to_string(id) +
                         ", which is no valid UTF-8; expected the characters that byte-level BPE writes bytes by");
        }
        if (types[id] != LLAMA_TOKEN_TYPE_NORMAL) {
            continue;
        }
        for (const uint32_t code : code_points(text)) {
            decoded += stands_for_byte(code) ? 1 : text.size() + 32;
        }
    }
    if (decoded > MAX_DECODED) {
        file.invalid(KEY + "tokens has tokens of " + std::to_string(decoded) +
                     " characters when decoded; expected up " + "to " + std::to_string(MAX_DECODED));
    }
}

/** Keys that name a token, or say yes or no, by their types; out of range only those that no default replaces. */
void check_special_tokens(const GgufFile & file, const Tokens & tokens, bool bpe) {
    for (const char * key :
         {"bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "unknown_token_id", "seperator_token_id",
          "padding_token_id", "mask_token_id", "fim_pre_token_id", "fim_suf_token_id", "fim_mid_token_id",
          "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id", "prefix_token_id", "suffix_token_id",
          "middle_token_id", "token_type_count"}) {
        file.require_type(KEY + key, GGUF_TYPE_UINT32);
    }
    for (const char * key : {"add_bos_token", "add_eos_token", "add_sep_token", "add_space_prefix",
                             "remove_extra_whitespaces", "normalizer.lowercase", "normalizer.strip_accents"}) {
        file.require_type(KEY + key, GGUF_TYPE_BOOL);
    }
    file.require_list(KEY + "suppress_tokens", {GGUF_TYPE_INT32});
    // llama.cpp's defaults for files that do not say.
    for (const auto & [key, otherwise] : {std::pair{"bos_token_id", bpe ? 11 : 1}, {"eos_token_id", bpe ? 11 : 2}}) {
        const int64_t id = file.find_int(KEY + key).value_or(otherwise);
        if (id >= static_cast<int64_t>(tokens.count())) {
            file.invalid(KEY + key + (file.has(KEY + key) ? " is " : " is missing and taken for ") +
                         std::to_string(id) + "; expected one of the vocabulary's " + std::to_string(tokens.count()) +
                         " tokens");
        }
    }
}

/** llama.cpp gives these tokens another attribute in models of that name, and fails where they are missing. */
void check_phi3(const GgufFile & file, const Tokens & tokens) {
    const std::string name = lower(file.find_string("general.name").value_or(""));
    if (!contains(name, "phi-3") && !contains(name, "phi3")) {
        return;
    }
    for (const char * text : {"</s>", "<unk>", "<s>", "<|endoftext|>"}) {
        if (!tokens.has(text)) {
            file.invalid("general.name is '" + name + "', but " + KEY + "tokens has no " + text +
                         ", which llama.cpp expects in models called Phi-3");
        }
    }
}

/**
 * Refuses pre-tokenizers that hand llama.cpp's merging text as it is: it asserts that there is no space or line end in
 * it, which only the bytes' spellings of GPT-2 guarantee.
 */
void check_pre(const GgufFile & file) {
    file.require_type(KEY + "pre", GGUF_TYPE_STRING);
    const std::string pre = file.find_string(KEY + "pre").value_or("");
    for (const char * raw : {"gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"}) {
        if (pre == raw) {
            file.invalid(KEY + "pre is '" + pre + "', which is no byte-level BPE; LLaVA's language models have that");
        }
    }
}

}   // namespace

void check_vocabulary(const GgufFile & file) {
    if (!file.has(KEY + "model") || file.find_array_length(KEY + "tokens").value_or(0) == 0) {
        file.invalid("it has no tokenizer (tokenizer.ggml.model and tokenizer.ggml.tokens)");
    }
    const std::string model = *file.find_string(KEY + "model");
    if (model != "llama" && model != "gpt2") {
        file.invalid(KEY + "model is '" + model +
                     "'; LLaVA's language models have llama (SentencePiece) or gpt2 (byte-level BPE)");
    }
    check_pre(file);
    const Tokens tokens(file);
    check_scores(file, tokens.count());
    const std::vector<int64_t> types = check_types(file, tokens);
    if (model == "gpt2") {
        check_merges(file);
        check_bpe_tokens(file, tokens, types);
    } else {
        check_bytes(file, tokens);
    }
    check_special_tokens(file, tokens, model == "gpt2");
    check_phi3(file, tokens);
}

}   // namespace vcap
