#pragma once

#include <array>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/gguf_file.h"
#include "core/language/chat_template.h"
#include "llama.h"

namespace vcap {

/** The text tokens of a prompt: those before the image features, and those after them. */
struct PromptTokens {
    std::vector<llama_token> before;
    std::vector<llama_token> after;

    /** Text tokens of the whole prompt. */
    int count() const { return static_cast<int>(before.size() + after.size()); }
};

/** What llama.cpp is to be told of a file's tokenizer: settings of its own for `kv_overrides`, with its end mark. */
std::vector<llama_model_kv_override> tokenizer_overrides(const GgufFile & file, const ChatTemplate & chat);

/** What people should know of a file's tokenizer before they trust its captions; one sentence each. */
std::vector<std::string> tokenizer_warnings(const GgufFile & file, const ChatTemplate & chat);

/**
 * A vocabulary and a chat template: prompts to tokens, and tokens to text.
 *
 * A mark is a token that no text can spell, such as <|im_end|> or <image>. The template's marks are inserted by their
 * ids, whatever type the file gives them: files of Yi type <|im_start|> as ordinary text, in which llama.cpp does not
 * look for marks. And the text of a question never becomes a mark. Every method may be called from any thread.
 */
class Tokenizer {
public:
    /** `file` holds the header from which `vocab` was loaded, with tokenizer_overrides(). */
    Tokenizer(const llama_vocab * vocab, const GgufFile & file, const ChatTemplate & chat);

    /**
     * The prompt that asks `question`. The text before the images and the text after them are tokenised independently,
     * as LLaVA's tokenizer_image_token (llava/mm_utils.py) does; only the first begins with a BOS token, and only where
     * the model wants one.
     */
    PromptTokens prompt(const std::string & question) const;

    /** Whether the token ends an answer. */
    bool ends(llama_token token) const;
    /** The token's bytes, which may be a part of a UTF-8 character; empty for a mark. */
    std::string piece(llama_token token) const;
    /** The token as the vocabulary spells it, marks too: for people. */
    std::string spelling(llama_token token) const { return llama_vocab_get_text(vocab_, token); }

private:
    struct Mark {
        std::string text;
        llama_token token;
    };
    /** A part of a text, in bytes. */
    struct Span {
        size_t begin = 0;
        size_t end = 0;
    };

    void add_mark(const std::string & text, llama_token token);
    std::vector<llama_token> encode(const std::string & text, Span foreign) const;
    void encode_text(const std::string & text, Span foreign, std::vector<llama_token> & tokens) const;
    void append(const std::string & text, std::vector<llama_token> & tokens) const;
    void append_piece(const std::string & text, std::vector<llama_token> & tokens) const;
    bool begins_mark(const std::string & text, size_t at, Span foreign) const;

    const llama_vocab * vocab_;
    ChatTemplate chat_;
    std::vector<Mark> template_marks_;                       // those of the template that are tokens
    std::array<std::vector<std::string>, 256> mark_texts_;   // of all marks, by their first byte
    std::unordered_set<llama_token> marks_;                  // all marks that are tokens
    llama_token end_ = LLAMA_TOKEN_NULL;                     // the template's end mark, where it is a token
    bool space_prefix_;   // whether text gets a space before it at its start and after a mark
};

}   // namespace vcap
