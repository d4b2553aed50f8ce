#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/grammar/matcher.h"
#include "core/language/token_texts.h"

namespace vcap {

/** What one answer may go on with: the tokens whose texts a grammar allows next. One thread at a time. */
class Constraint {
public:
    /** `texts` must outlive it. */
    Constraint(std::shared_ptr<const Grammar> grammar, const TokenTexts & texts);

    /** Whether the token may be next. One that ends the answer may be where the answer is a whole text. */
    bool allows(llama_token token);
    /** All tokens that may be next, valid until the next call. None where the grammar asks for what no token has. */
    const std::vector<llama_token> & allowed();
    /** Takes a token that is allowed and ends nothing. */
    void accept(llama_token token) { matcher_.accept(texts_->of(token)); }
    /** Whether the answer is a whole text, and nothing can follow. */
    bool is_over() const { return matcher_.must_end(); }

    /** The text of an answer that was cut behind these tokens, with the least that makes it whole. */
    std::string completed(const std::vector<llama_token> & tokens) const;

private:
    bool is_end(llama_token token) const;

    std::shared_ptr<const Grammar> grammar_;
    const TokenTexts * texts_;
    Matcher matcher_;
    std::vector<Matcher::State> path_;   // states behind each byte of a text, kept for their memory
    std::vector<llama_token> allowed_;
};

}   // namespace vcap
