#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/language/tokenizer.h"

namespace vcap {

/**
 * The texts of a vocabulary's tokens, in the order of their bytes: what begins alike lies side by side, so that one
 * look at a beginning is enough for all tokens that have it. Constant; for any thread.
 */
class TokenTexts {
public:
    /** `vocabulary`: tokens in it. */
    TokenTexts(const Tokenizer & tokenizer, int vocabulary);

    /** Tokens that have a text and end no answer. */
    int size() const { return static_cast<int>(tokens_.size()); }
    llama_token token(int index) const { return tokens_[index]; }
    std::string_view text(int index) const {
        return {bytes_.data() + begins_[index], begins_[index + 1] - begins_[index]};
    }
    /** Bytes that the text has in common with the one before it. */
    size_t shared(int index) const { return shared_[index]; }
    /** The token's text, in bytes; empty for one that has none, or ends an answer. */
    std::string_view of(llama_token token) const { return indices_[token] < 0 ? "" : text(indices_[token]); }
    /** The tokens that end an answer. */
    const std::vector<llama_token> & ends() const { return ends_; }

private:
    std::string bytes_;
    std::vector<size_t> begins_;   // of each text, and where the last one ends
    std::vector<llama_token> tokens_;
    std::vector<size_t> shared_;
    std::vector<int> indices_;   // [vocabulary], -1 where there is none
    std::vector<llama_token> ends_;
};

}   // namespace vcap
