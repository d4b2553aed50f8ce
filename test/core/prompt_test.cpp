#include "check.h"
#include "core/language/prompt.h"
#include "demo_model.h"

using namespace vcap;

TEST("prompt: the demo model's chat template is recognised by its vocabulary") {
    const GgufFile file(demo::model);
    const ChatTemplate chat = choose_chat_template(file, "");
    CHECK_EQUAL(chat.name, "chatml_direct");
    CHECK_EQUAL(choose_chat_template(file, "mistral_instruct").before, "[INST] ");
    CHECK_EQUAL(check::error_code([&] { choose_chat_template(file, "none"); }), "usage");
}

TEST("prompt: special tokens are recognised, and the text before and after the images is tokenised independently") {
    const auto engine = demo::load(1);
    const llama_vocab * vocab = engine->language_model().vocab();
    const PromptTokens prompt = tokenize_prompt(vocab, engine->facts().chat_template, "Describe it.");
    const LanguageModel & model = engine->language_model();
    std::string before;
    for (const llama_token token : prompt.before) before += model.piece(token);
    CHECK_EQUAL(prompt.before.front(), 6);   // <|im_start|>, and no BOS before it
    CHECK_EQUAL(before, "system\nAnswer the questions.user\n");
    std::string after;
    for (const llama_token token : prompt.after) after += model.piece(token);
    CHECK_EQUAL(after, "\nDescribe it.assistant\n");
}

TEST("prompt: a question may hold any characters, also those that only byte tokens spell") {
    const auto engine = demo::load(1);
    const PromptTokens prompt = tokenize_prompt(engine->language_model().vocab(), engine->facts().chat_template,
                                                "\xE6\xBC\xA2 \xF0\x9F\x8E\xAC \x01");
    std::string after;
    for (const llama_token token : prompt.after) after += engine->language_model().piece(token);
    CHECK_EQUAL(after, "\n\xE6\xBC\xA2 \xF0\x9F\x8E\xAC \x01"
                       "assistant\n");
}
