#pragma once

#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "llama.h"

namespace vcap {

/**
 * A conversation of one question, as LLaVA's conversation.py writes it: what stands before
 * the images and what follows them. The images of one prompt touch each other.
 */
struct ChatTemplate {
    std::string name;
    std::string before;
    std::string after_images;   // then the question
    std::string after_question;
    std::string reason;   // why this one
};

std::vector<std::string> chat_template_names();

/**
 * The template called `name`; empty: the one that the model's metadata names without doubt.
 * Throws usage for an unknown name and model_invalid where the metadata leave it open.
 */
ChatTemplate choose_chat_template(const GgufFile & model, const std::string & name);

/** The text tokens around the images. */
struct PromptTokens {
    std::vector<llama_token> before;
    std::vector<llama_token> after;

    int count() const { return static_cast<int>(before.size() + after.size()); }
};

/** Each piece tokenised for itself, a BOS only on the first (LLaVA's tokenizer_image_token). */
PromptTokens tokenize_prompt(const llama_vocab * vocab, const ChatTemplate & chat, const std::string & question);

}   // namespace vcap
