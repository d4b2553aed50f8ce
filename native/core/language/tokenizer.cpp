#include "core/language/tokenizer.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace vcap {
namespace {

const char * const ADD_BOS = "tokenizer.ggml.add_bos_token";
const char * const ADD_SPACE_PREFIX = "tokenizer.ggml.add_space_prefix";
const char * const PRE = "tokenizer.ggml.pre";

bool is_sentencepiece(const GgufFile & file) { return file.find_string("tokenizer.ggml.model") == "llama"; }
bool is_bpe(const GgufFile & file) { return file.find_string("tokenizer.ggml.model") == "gpt2"; }

/**
 * Yi, which LLaVA-1.6-34B grew from and whose template is chatml_direct, was trained with neither a BOS token nor a
 * space before the text. llama.cpp takes both for granted where a SentencePiece file says nothing.
 */
bool is_yi(const GgufFile & file, const ChatTemplate & chat) {
    return chat.name == "chatml_direct" && is_sentencepiece(file);
}

llama_model_kv_override override_bool(const char * key, bool value) {
    llama_model_kv_override entry{};
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
    std::strncpy(entry.key, key, sizeof(entry.key) - 1);
    entry.val_bool = value;
    return entry;
}

llama_model_kv_override override_string(const char * key, const std::string & value) {
    llama_model_kv_override entry{};
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
    std::strncpy(entry.key, key, sizeof(entry.key) - 1);
    std::strncpy(entry.val_str, value.c_str(), sizeof(entry.val_str) - 1);
    return entry;
}

/**
 * The pre-tokenizer, by llama.cpp's name, of a BPE file that does not name its own: the one of the base model that its
 * template belongs to. Empty: not known, or not missing.
 */
std::string missing_pre(const GgufFile & file, const ChatTemplate & chat) {
    if (!is_bpe(file) || file.has(PRE)) {
        return "";
    }
    return chat.name == "qwen_1_5"                                      ? "qwen2"
           : chat.name == "llava_llama_3" || chat.name == "llama3_chat" ? "llama-bpe"
                                                                        : "";
}

/** Whether a text looks like a mark: `<…>` or `[…]`, of three characters or more. */
bool is_bracketed(const std::string & text) {
    return text.size() > 2 &&
           ((text.front() == '<' && text.back() == '>') || (text.front() == '[' && text.back() == ']'));
}

/** The index of the byte after the UTF-8 character at `at`. */
size_t after_character(const std::string & text, size_t at) {
    do {
        at++;
    } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    return at;
}

// Bytes of text that llama.cpp cuts into words at once. For most BPE vocabularies it does that by std::regex, which
// recurses for each character of a word: some 30,000 use up a thread's stack.
constexpr size_t MAX_PIECE = 4096;

/** Where the piece of a text that begins at `begin` ends: before a space if it can be, where words begin. */
size_t piece_end(const std::string & text, size_t begin) {
    if (text.size() - begin <= MAX_PIECE) {
        return text.size();
    }
    for (size_t end = begin + MAX_PIECE; end > begin + MAX_PIECE / 2; end--) {
        if (text[end] == ' ' && std::isalnum(static_cast<unsigned char>(text[end - 1]))) {
            return end;
        }
    }
    size_t end = begin + MAX_PIECE;
    while ((text[end] & 0xC0) == 0x80 && end > begin + MAX_PIECE - 4) {   // in the middle of a character
        end--;
    }
    return end;
}

}   // namespace

std::vector<llama_model_kv_override> tokenizer_overrides(const GgufFile & file, const ChatTemplate & chat) {
    std::vector<llama_model_kv_override> overrides;
    if (is_yi(file, chat) && !file.has(ADD_BOS)) {
        overrides.push_back(override_bool(ADD_BOS, false));
    }
    // The space before a text is ours to put, since a text is tokenised in parts.
    overrides.push_back(override_bool(ADD_SPACE_PREFIX, false));
    const std::string pre = missing_pre(file, chat);
    if (!pre.empty()) {
        overrides.push_back(override_string(PRE, pre));
    }
    overrides.push_back({});   // llama.cpp's end mark: an entry with an empty key
    return overrides;
}

std::vector<std::string> tokenizer_warnings(const GgufFile & file, const ChatTemplate & chat) {
    std::vector<std::string> warnings;
    if (is_bpe(file) && !file.has(PRE)) {
        const std::string pre = missing_pre(file, chat);
        warnings.push_back(
            pre.empty()
                ? "The model does not name its pre-tokenizer (tokenizer.ggml.pre): its text may be cut into wrong "
                  "tokens and its captions be worse. Convert it again with a current converter"
                : "The model does not name its pre-tokenizer (tokenizer.ggml.pre): " + pre +
                      " is taken, which belongs to its chat template");
    }
    if (chat.is_guess) {
        warnings.push_back("Nothing in the model's metadata names its chat template: " + chat.name +
                           " is taken, since " + chat.reason + ". Name the template if that is wrong");
    }
    // mistral_instruct's marks are text for most models that use it.
    for (const std::string & mark : chat.marks) {
        if (mark.front() == '<' && !file.find_string_index("tokenizer.ggml.tokens", mark)) {
            warnings.push_back("The vocabulary has no " + mark + ", a mark of the chat template " + chat.name +
                               ": it is written out as text. Name another template if the model was trained with one");
        }
    }
    return warnings;
}

Tokenizer::Tokenizer(const llama_vocab * vocab, const GgufFile & file, const ChatTemplate & chat)
    : vocab_(vocab), chat_(chat),
      space_prefix_(is_sentencepiece(file) && file.find_bool(ADD_SPACE_PREFIX).value_or(!is_yi(file, chat))) {
    std::vector<std::string> known = chat_template_marks();
    known.insert(known.end(), {"<s>", "</s>", "<unk>", "<image>"});
    const std::unordered_set<std::string> names(known.begin(), known.end());
    for (llama_token token = 0; token < llama_vocab_n_tokens(vocab); token++) {
        const std::string text = llama_vocab_get_text(vocab, token);
        const int special = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_USER_DEFINED;
        const bool is_special = (llama_vocab_get_attr(vocab, token) & special) != 0 && is_bracketed(text);
        if (is_special || names.count(text) > 0 || (llama_vocab_is_eog(vocab, token) && text.size() > 1)) {
            add_mark(text, token);
        }
    }
    // A mark of the template that the vocabulary lacks is text for this model; a question shall not spell it either.
    for (const std::string & text : chat.marks) {
        std::vector<std::string> & texts = mark_texts_[static_cast<unsigned char>(text.front())];
        if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
            texts.push_back(text);
        }
    }
}

void Tokenizer::add_mark(const std::string & text, llama_token token) {
    marks_.insert(token);
    mark_texts_[static_cast<unsigned char>(text.front())].push_back(text);
    if (std::find(chat_.marks.begin(), chat_.marks.end(), text) != chat_.marks.end()) {
        template_marks_.push_back({text, token});
    }
    if (text == chat_.end) {
        end_ = token;
    }
}

PromptTokens Tokenizer::prompt(const std::string & question) const {
    PromptTokens tokens{encode(chat_.before, {}), {}};
    if (llama_vocab_get_add_bos(vocab_) && llama_vocab_bos(vocab_) != LLAMA_TOKEN_NULL) {
        tokens.before.insert(tokens.before.begin(), llama_vocab_bos(vocab_));
    }
    const size_t begin = chat_.after_images.size();
    tokens.after = encode(chat_.after_images + question + chat_.after_question, {begin, begin + question.size()});
    return tokens;
}

/** Cuts a text of the template at its marks. `foreign`: the part that is not the template's, in which nothing is one.
 */
std::vector<llama_token> Tokenizer::encode(const std::string & text, Span foreign) const {
    std::vector<llama_token> tokens;
    size_t begin = 0;
    for (size_t at = 0; at < text.size(); at++) {
        for (const Mark & mark : template_marks_) {
            const bool is_ours = at + mark.text.size() <= foreign.begin || at >= foreign.end;
            if (!is_ours || text.compare(at, mark.text.size(), mark.text) != 0) {
                continue;
            }
            encode_text(text.substr(begin, at - begin),
                        {std::max(foreign.begin, begin) - begin, std::max(foreign.end, begin) - begin}, tokens);
            tokens.push_back(mark.token);
            begin = at + mark.text.size();
            // Vocabularies of Phi-3's kind swallow the space after a mark.
            while ((llama_vocab_get_attr(vocab_, mark.token) & LLAMA_TOKEN_ATTR_RSTRIP) != 0 && begin < text.size() &&
                   begin != foreign.begin && std::isspace(static_cast<unsigned char>(text[begin])) != 0) {
                begin++;
            }
            at = begin - 1;
            break;
        }
    }
    encode_text(text.substr(begin), {std::max(foreign.begin, begin) - begin, std::max(foreign.end, begin) - begin},
                tokens);
    return tokens;
}

/**
 * Appends the tokens of a text without marks of ours. Where its foreign part spells a mark, the text is cut after the
 * mark's first character, so that no merging of characters can lead to the mark either.
 */
void Tokenizer::encode_text(const std::string & text, Span foreign, std::vector<llama_token> & tokens) const {
    if (text.empty()) {
        return;
    }
    std::string part = space_prefix_ ? " " : "";
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
        const size_t next = after_character(text, at);
        if (begins_mark(text, at, foreign)) {
            append(part + text.substr(begin, next - begin), tokens);
            part.clear();
            begin = next;
        }
        at = next;
    }
    append(part + text.substr(begin), tokens);
}

bool Tokenizer::begins_mark(const std::string & text, size_t at, Span foreign) const {
    if (at >= foreign.end) {
        return false;
    }
    const std::vector<std::string> & texts = mark_texts_[static_cast<unsigned char>(text[at])];
    return std::any_of(texts.begin(), texts.end(), [&](const std::string & mark) {
        return at + mark.size() > foreign.begin && text.compare(at, mark.size(), mark) == 0;
    });
}

/** Appends the tokens of a text that spells no mark, as the vocabulary merges it. */
void Tokenizer::append(const std::string & text, std::vector<llama_token> & tokens) const {
    const bool by_bytes = llama_vocab_type(vocab_) == LLAMA_VOCAB_TYPE_BPE;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = by_bytes ? piece_end(text, begin) : text.size();
        append_piece(text.substr(begin, end - begin), tokens);
        begin = end;
    }
}

void Tokenizer::append_piece(const std::string & text, std::vector<llama_token> & tokens) const {
    const size_t before = tokens.size();
    const int32_t length = static_cast<int32_t>(text.size());
    const auto write = [&](size_t room) {
        tokens.resize(before + room);
        return llama_tokenize(vocab_, text.data(), length, tokens.data() + before, static_cast<int32_t>(room),
                              /*add_special =*/false, /*parse_special =*/false);
    };
    int32_t count = write(text.size() + 8);
    if (count < 0) {   // minus the number of tokens that need room
        count = write(static_cast<size_t>(-count));
    }
    tokens.resize(before + std::max(count, 0));
}

bool Tokenizer::ends(llama_token token) const { return token == end_ || llama_vocab_is_eog(vocab_, token); }

std::string Tokenizer::piece(llama_token token) const {
    if (marks_.count(token) > 0) {
        return "";
    }
    std::string text(64, '\0');
    int32_t length = llama_token_to_piece(vocab_, token, text.data(), static_cast<int32_t>(text.size()), 0, false);
    if (length < 0) {
        text.resize(-length);
        length = llama_token_to_piece(vocab_, token, text.data(), static_cast<int32_t>(text.size()), 0, false);
    }
    text.resize(std::max(length, 0));
    return text;
}

}   // namespace vcap
