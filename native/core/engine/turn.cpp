#include "core/engine/turn.h"

#include <algorithm>

#include "core/language/utf8.h"

namespace vcap {

Turn::Turn(const Question & question, size_t number, std::vector<llama_token> tokens,
           std::optional<Constraint> constraint)
    : number_(number), max_tokens_(question.max_tokens), ignore_eos_(question.ignore_eos),
      stop_loops_(question.stop_loops && !question.ignore_eos), wants_first_logits_(question.first_logits),
      sampler_(question.temperature, question.top_p, question.seed), constraint_(std::move(constraint)),
      question_(std::move(tokens)) {}

llama_token Turn::token(int place) const {
    const int asked = question_length();
    return place < asked ? question_[place] : answer_[place - asked];
}

/**
 * The next token, which is free to be any or held to the grammar; none where the grammar asks for what no token has.
 * What is chosen freely and happens to be allowed is what would be chosen among the allowed ones: the likeliest of all
 * is, and of a random choice it is the first that is not turned down. So most tokens cost one look at one text.
 */
std::optional<llama_token> Turn::choose(const RowOutput & output, const LanguageModel & model) {
    const llama_token free =
        output.logits == nullptr ? output.likeliest : sampler_.choose(output.logits, model.vocabulary());
    if (!constraint_ || constraint_->allows(free)) {
        return free;
    }
    const std::vector<llama_token> & allowed = constraint_->allowed();
    if (allowed.empty()) {
        return std::nullopt;
    }
    return sampler_.choose_among(allowed, output.logits);
}

bool Turn::advance(const RowOutput & output, const LanguageModel & model) {
    if (wants_first_logits_ && answer_.empty()) {
        first_logits_.assign(output.logits, output.logits + model.vocabulary());
    }
    const std::optional<llama_token> chosen = choose(output, model);
    if (!chosen) {
        ending_ = Ending::length;
        return true;
    }
    const llama_token token = *chosen;
    if (model.tokenizer().ends(token) && (!ignore_eos_ || constraint_)) {
        return true;
    }
    answer_.push_back(token);
    if (constraint_) {
        constraint_->accept(token);
        if (constraint_->is_over()) {
            return true;
        }
    }
    if (stop_loops_ && repetition_.add(token)) {
        ending_ = Ending::loop;
    } else if (static_cast<int>(answer_.size()) >= max_tokens_) {
        ending_ = Ending::length;
    }
    return ending_ != Ending::stop;
}

/**
 * Tokens without a loop's later rounds. Where a loop begins within a sentence its first round ends within one, so up to
 * a round more is kept, to the next end of a sentence.
 */
size_t Turn::kept_tokens(const Tokenizer & tokenizer) const {
    if (ending_ != Ending::loop) {
        return answer_.size();
    }
    const int first = repetition_.first_round_end();
    for (int kept = first; kept < first + repetition_.period(); kept++) {
        std::string end;   // of several tokens: a full stop of three bytes may be three of them
        for (int i = std::max(0, kept - 3); i < kept; i++) {
            end += tokenizer.piece(answer_[i]);
        }
        if (ends_sentence(end)) {
            return kept;
        }
    }
    return first;
}

Caption Turn::caption(const Tokenizer & tokenizer) const {
    Caption caption;
    caption.tokens.assign(answer_.begin(), answer_.begin() + static_cast<ptrdiff_t>(kept_tokens(tokenizer)));
    if (constraint_) {
        caption.text = constraint_->completed(caption.tokens);
    } else {
        std::string bytes;
        for (const llama_token token : caption.tokens) {
            bytes += tokenizer.piece(token);
        }
        caption.text = valid_utf8(bytes);
    }
    caption.ending = ending_;
    caption.first_logits = first_logits_;
    return caption;
}

}   // namespace vcap
