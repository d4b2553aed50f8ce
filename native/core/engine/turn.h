#pragma once

#include <optional>
#include <vector>

#include "core/engine/request.h"
#include "core/language/constraint.h"
#include "core/language/language_model.h"
#include "core/language/repetition.h"
#include "core/language/sampler.h"
#include "core/language/tokenizer.h"

namespace vcap {

/** One question of a request with its answer so far: the tokens that follow the images. */
class Turn {
public:
    /**
     * `number`: which of the request's questions it is. `tokens`: the template's text behind the images. `constraint`:
     * what holds the answer to the question's grammar, where it has one.
     */
    Turn(const Question & question, size_t number, std::vector<llama_token> tokens,
         std::optional<Constraint> constraint = std::nullopt);

    size_t number() const { return number_; }
    /** Tokens of the question, with its template. */
    int question_length() const { return static_cast<int>(question_.size()); }
    /** Tokens of question and answer. */
    int length() const { return question_length() + static_cast<int>(answer_.size()); }
    /** The token at this place, from 0 on. */
    llama_token token(int place) const;

    /** Whether the likeliest token is not enough: logits are sampled from, or asked for. */
    bool needs_logits() const { return wants_first_logits_ || constraint_ || !sampler_.greedy(); }
    /** Takes the next token from an output whose logits are finite numbers. True when the answer is finished. */
    bool advance(const RowOutput & output, const LanguageModel & model);
    /** The answer's text, tokens and ending. */
    Caption caption(const Tokenizer & tokenizer) const;

private:
    std::optional<llama_token> choose(const RowOutput & output, const LanguageModel & model);
    size_t kept_tokens(const Tokenizer & tokenizer) const;

    size_t number_;
    int max_tokens_;
    bool ignore_eos_;
    bool stop_loops_;
    bool wants_first_logits_;
    Sampler sampler_;
    std::optional<Constraint> constraint_;
    Ending ending_ = Ending::stop;
    std::vector<llama_token> question_;
    std::vector<llama_token> answer_;
    RepetitionWatch repetition_;
    std::vector<float> first_logits_;
};

}   // namespace vcap
