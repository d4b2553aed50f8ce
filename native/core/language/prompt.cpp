#include "core/language/prompt.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"

namespace vcap {
namespace {

// From haotian-liu/LLaVA@c121f04, llava/conversation.py, whose names these are. chatml_direct differs from ChatML: no
// newline follows <|im_end|>.
const std::vector<ChatTemplate> & templates() {
    static const std::string assistant =
        " and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the ";
    static const std::vector<ChatTemplate> all = {
        {"chatml_direct", "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n", "\n",
         "<|im_end|><|im_start|>assistant\n", ""},
        {"mistral_instruct", "[INST] ", "\n", " [/INST]", ""},
        {"vicuna_v1", "A chat between a curious user" + assistant + "user's questions. USER: ", "\n",
         " ASSISTANT:", ""},
        {"llava_v1", "A chat between a curious human" + assistant + "human's questions. USER: ", "\n",
         " ASSISTANT:", ""},
    };
    return all;
}

/** The names of all templates, for a message. */
std::string known_names() {
    std::string names;
    for (const ChatTemplate & chat : templates()) {
        names += (names.empty() ? "" : ", ") + chat.name;
    }
    return names;
}

/** The template called `name`, with the reason for choosing it. Throws usage. */
ChatTemplate named(const std::string & name, const std::string & reason) {
    for (ChatTemplate chat : templates()) {
        if (chat.name == name) {
            chat.reason = reason;
            return chat;
        }
    }
    throw Error("usage", "There is no chat template '" + name + "'. There are: " + known_names());
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool contains(const std::string & text, const std::string & part) { return text.find(part) != std::string::npos; }

/** `add_bos`: whether a BOS token goes before the text, provided that the model wants one. */
std::vector<llama_token> tokenize(const llama_vocab * vocab, const std::string & text, bool add_bos) {
    if (text.empty()) {
        return {};
    }
    const int32_t length = static_cast<int32_t>(text.size());
    std::vector<llama_token> tokens(text.size() + 8);
    const auto write = [&] {
        return llama_tokenize(vocab, text.data(), length, tokens.data(), static_cast<int32_t>(tokens.size()), add_bos,
                              /*parse_special =*/true);
    };
    int32_t count = write();
    if (count < 0) {   // minus the number of tokens that need room
        tokens.resize(-count);
        count = write();
    }
    tokens.resize(std::max(count, 0));
    return tokens;
}

}   // namespace

ChatTemplate choose_chat_template(const GgufFile & model, const std::string & name) {
    if (!name.empty()) {
        return named(name, "asked for");
    }
    const std::string tokens = "tokenizer.ggml.tokens";
    if (model.find_string_index(tokens, "<|im_start|>") && model.find_string_index(tokens, "<|im_end|>")) {
        return named("chatml_direct", "the vocabulary has <|im_start|> and <|im_end|>");
    }
    const std::string jinja = model.find_string("tokenizer.chat_template").value_or("");
    if (contains(jinja, "[INST]")) {
        return named("mistral_instruct", "tokenizer.chat_template uses [INST]");
    }
    if (contains(jinja, "USER:")) {
        return named("llava_v1", "tokenizer.chat_template uses USER:");
    }
    const std::string title = lower(model.find_string("general.name").value_or(""));
    if (contains(title, "mistral")) {
        return named("mistral_instruct", "general.name says mistral");
    }
    if (contains(title, "vicuna") || contains(title, "llava-v1.5") || contains(title, "llava v1.5")) {
        return named("llava_v1", "general.name says " + title);
    }
    model.invalid(
        "nothing in its metadata says which chat template it was trained with (no <|im_start|> in the vocabulary, no "
        "tokenizer.chat_template, and general.name is '" +
        title + "'). Name one of the chat templates: " + known_names());
}

PromptTokens tokenize_prompt(const llama_vocab * vocab, const ChatTemplate & chat, const std::string & question) {
    return {tokenize(vocab, chat.before, true),
            tokenize(vocab, chat.after_images + question + chat.after_question, false)};
}

}   // namespace vcap
