#pragma once

#include <string>
#include <vector>

#include "core/gguf_file.h"

namespace vcap {

/**
 * The text of a prompt that asks one question, as the model's training code writes it. A prompt is `before`, the
 * features of all images with nothing between them, `after_images`, the question, and `after_question`. The model's
 * answer follows.
 */
struct ChatTemplate {
    std::string name;
    std::string before;
    std::string after_images;
    std::string after_question;
    std::vector<std::string> marks;   // marks within the text, such as <|im_start|>: one token each, where there is one
    std::string end;                  // the mark that ends an answer; empty: only the model's own end token
    std::string reason;               // why this template was chosen, for people
    bool is_guess = false;            // chosen by the shape of the model alone, which is to be said aloud
};

/**
 * The template called `name`; where that is empty, the one that the model's metadata point to. Throws usage for an
 * unknown name, and model_invalid where the metadata point to none; both messages list the names that there are.
 */
ChatTemplate choose_chat_template(const GgufFile & model, const std::string & name);

/** The names of all templates. */
std::vector<std::string> chat_template_names();

/** The marks of all templates, each once. */
std::vector<std::string> chat_template_marks();

}   // namespace vcap
