#pragma once

#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "llama.h"

namespace vcap {

/**
 * The text of a prompt that asks one question, as LLaVA's llava/conversation.py writes it. A prompt is `before`, the
 * features of all images with nothing between them, `after_images`, the question, and `after_question`. The model's
 * answer follows.
 */
struct ChatTemplate {
    std::string name;
    std::string before;
    std::string after_images;
    std::string after_question;
    std::string reason;   // why this template was chosen, for people
};

/**
 * The template called `name`; where that is empty, the one that the model's metadata point to. Throws usage for an
 * unknown name, and model_invalid where the metadata point to none; both messages list the names that there are.
 */
ChatTemplate choose_chat_template(const GgufFile & model, const std::string & name);

/** The text tokens of a prompt: those before the image features, and those after them. */
struct PromptTokens {
    std::vector<llama_token> before;
    std::vector<llama_token> after;

    /** Text tokens of the whole prompt. */
    int count() const { return static_cast<int>(before.size() + after.size()); }
};

/**
 * Tokenises the text before the images and the text after them independently, as LLaVA's tokenizer_image_token
 * (llava/mm_utils.py) does; only the first begins with a BOS token, and only where the model wants one. Special tokens
 * that are written out in the text, in the question as well, are recognised.
 */
PromptTokens tokenize_prompt(const llama_vocab * vocab, const ChatTemplate & chat, const std::string & question);

}   // namespace vcap
