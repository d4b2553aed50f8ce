#include "core/language/chat_template.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace vcap {
namespace {

const std::string TOKENS = "tokenizer.ggml.tokens";

// The first four are from haotian-liu/LLaVA@c121f04, llava/conversation.py; qwen_1_5 and llava_llama_3 from
// LLaVA-VL/LLaVA-NeXT, llava/conversation.py; llama3_chat and phi3_chat from InternLM/xtuner,
// xtuner/utils/templates.py. The names are theirs. chatml_direct differs from ChatML: no newline follows <|im_end|>.
const std::vector<ChatTemplate> & templates() {
    static const std::string assistant =
        " and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the ";
    static const std::string llama_3_user = "<|start_header_id|>user<|end_header_id|>\n\n";
    static const std::string llama_3_end = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
    static const std::vector<std::string> chatml_marks = {"<|im_start|>", "<|im_end|>"};
    static const std::vector<std::string> llama_3_marks = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
    static const std::vector<ChatTemplate> all = {
        {"chatml_direct", "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n", "\n",
         "<|im_end|><|im_start|>assistant\n", chatml_marks, "<|im_end|>", ""},
        {"mistral_instruct", "[INST] ", "\n", " [/INST]", {"[INST]", "[/INST]"}, "", ""},
        {"vicuna_v1",
         "A chat between a curious user" + assistant + "user's questions. USER: ",
         "\n",
         " ASSISTANT:",
         {},
         "",
         ""},
        {"llava_v1",
         "A chat between a curious human" + assistant + "human's questions. USER: ",
         "\n",
         " ASSISTANT:",
         {},
         "",
         ""},
        {"qwen_1_5", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n", "\n",
         "<|im_end|>\n<|im_start|>assistant\n", chatml_marks, "<|im_end|>", ""},
        {"llava_llama_3",
         "<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful language and vision assistant. You are able "
         "to understand the visual content that the user provides, and assist the user with a variety of tasks using "
         "natural language.<|eot_id|>" +
             llama_3_user,
         "\n", llama_3_end, llama_3_marks, "<|eot_id|>", ""},
        {"llama3_chat", llama_3_user, "\n", llama_3_end, llama_3_marks, "<|eot_id|>", ""},
        {"phi3_chat",
         "<|user|>\n",
         "\n",
         "<|end|>\n<|assistant|>\n",
         {"<|user|>", "<|end|>", "<|assistant|>"},
         "<|end|>",
         ""},
    };
    return all;
}

/** The names of all templates, for a message. */
std::string known_names() {
    std::string names;
    for (const std::string & name : chat_template_names()) {
        names += (names.empty() ? "" : ", ") + name;
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

/** What the model is called: its name and, where newer converters split that up, the parts. In lower case. */
std::string read_title(const GgufFile & model) {
    std::string title;
    for (const char * key : {"general.name", "general.basename", "general.finetune"}) {
        const std::string part = lower(model.find_string(key).value_or(""));
        if (!part.empty() && !contains(title, part)) {
            title += (title.empty() ? "" : " ") + part;
        }
    }
    return title;
}

/**
 * The base model by its shape, for files that are called "LLaMA v2" or nothing at all, as older converters wrote them.
 * Both have Llama's vocabulary of 32000 tokens (32064 with padding). Mistral-7B shares each key-value head among four
 * query heads; the Llama models behind Vicuna share none. Empty: neither.
 */
std::string template_of_shape(const GgufFile & model) {
    const size_t tokens = model.find_array_length(TOKENS).value_or(0);
    const bool llama_vocabulary =
        model.find_string("tokenizer.ggml.model") == "llama" && tokens >= 32000 && tokens <= 32064;
    if (!llama_vocabulary || model.find_string("general.architecture") != "llama") {
        return "";
    }
    const int64_t heads = model.find_int("llama.attention.head_count").value_or(0);
    const int64_t kv_heads = model.find_int("llama.attention.head_count_kv").value_or(heads);
    return heads == 32 && kv_heads == 8 ? "mistral_instruct" : heads >= 32 && kv_heads == heads ? "llava_v1" : "";
}

}   // namespace

ChatTemplate choose_chat_template(const GgufFile & model, const std::string & name) {
    if (!name.empty()) {
        return named(name, "asked for");
    }
    const auto has_tokens = [&](std::initializer_list<const char *> tokens) {
        return std::all_of(tokens.begin(), tokens.end(),
                           [&](const char * token) { return model.find_string_index(TOKENS, token).has_value(); });
    };
    const std::string title = read_title(model);
    if (has_tokens({"<|im_start|>", "<|im_end|>"})) {
        const bool qwen = model.find_string("general.architecture") == "qwen2";
        const std::string reason = "the vocabulary has <|im_start|> and <|im_end|>";
        return qwen ? named("qwen_1_5", reason + ", and the architecture is qwen2") : named("chatml_direct", reason);
    }
    if (has_tokens({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"})) {
        const std::string reason = "the vocabulary has <|start_header_id|> and <|eot_id|>";
        return contains(title, "next") ? named("llava_llama_3", reason + ", and general.name says next")
                                       : named("llama3_chat", reason);
    }
    if (has_tokens({"<|user|>", "<|end|>", "<|assistant|>"})) {
        return named("phi3_chat", "the vocabulary has <|user|>, <|end|> and <|assistant|>");
    }
    const std::string jinja = model.find_string("tokenizer.chat_template").value_or("");
    if (contains(jinja, "[INST]")) {
        return named("mistral_instruct", "tokenizer.chat_template uses [INST]");
    }
    if (contains(jinja, "USER:")) {
        return named("llava_v1", "tokenizer.chat_template uses USER:");
    }
    if (contains(title, "mistral")) {
        return named("mistral_instruct", "general.name says mistral");
    }
    if (contains(title, "vicuna") || contains(title, "llava-v1.5") || contains(title, "llava v1.5")) {
        return named("llava_v1", "general.name says " + title);
    }
    const std::string shaped = template_of_shape(model);
    if (!shaped.empty()) {
        ChatTemplate chat =
            named(shaped, shaped == "llava_v1" ? "its shape is that of Vicuna" : "its shape is that of Mistral-7B");
        chat.is_guess = true;
        return chat;
    }
    const std::string has_jinja =
        jinja.empty() ? "no tokenizer.chat_template" : "its tokenizer.chat_template is none of these";
    model.invalid("nothing in its metadata says which of the known chat templates it was trained with (no marks of "
                  "theirs in the vocabulary, " +
                  has_jinja + ", and general.name is '" + title +
                  "'). Name the one that it was trained with: " + known_names());
}

std::vector<std::string> chat_template_names() {
    std::vector<std::string> names;
    for (const ChatTemplate & chat : templates()) {
        names.push_back(chat.name);
    }
    return names;
}

std::vector<std::string> chat_template_marks() {
    std::vector<std::string> marks;
    for (const ChatTemplate & chat : templates()) {
        for (const std::string & mark : chat.marks) {
            if (std::find(marks.begin(), marks.end(), mark) == marks.end()) {
                marks.push_back(mark);
            }
        }
    }
    return marks;
}

}   // namespace vcap
