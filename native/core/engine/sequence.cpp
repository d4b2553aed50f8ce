#include "core/engine/sequence.h"

#include <algorithm>

#include "core/language/utf8.h"

namespace vcap {

Sequence::Sequence(const CaptionRequest & request, PromptTokens prompt, int image_tokens,
                   std::optional<Constraint> constraint)
    : prompt_(std::move(prompt)), image_tokens_(image_tokens), max_tokens_(request.max_tokens),
      ignore_eos_(request.ignore_eos), stop_loops_(request.stop_loops && !request.ignore_eos),
      wants_first_logits_(request.first_logits), sampler_(request.temperature, request.top_p, request.seed),
      constraint_(std::move(constraint)) {}

void Sequence::copy_row(int row, float * to, const VisionFeatures & features, const std::vector<float> & newline,
                        const TokenEmbeddings & embeddings) const {
    const int before = static_cast<int>(prompt_.before.size());
    if (row < before) {
        embeddings.copy_row(prompt_.before[row], to);
    } else if (row < before + image_tokens_) {
        features.copy_row(row - before, newline, to);
    } else if (row < prompt_length()) {
        embeddings.copy_row(prompt_.after[row - before - image_tokens_], to);
    } else {
        embeddings.copy_row(tokens_[row - prompt_length()], to);
    }
}

int Sequence::add_rows(Batch & batch, int slot, int count, const VisionFeatures & features,
                       const std::vector<float> & newline, const TokenEmbeddings & embeddings) {
    const bool reaches_end = count == pending();
    for (int i = 0; i < count; i++) {
        const bool last = reaches_end && i == count - 1;
        copy_row(seen_ + i, batch.add(slot, seen_ + i, last), features, newline, embeddings);
    }
    seen_ += count;
    return reaches_end ? batch.size() - 1 : -1;
}

/**
 * The next token, which is free to be any or held to the grammar; none where the grammar asks for what no token has.
 * What is chosen freely and happens to be allowed is what would be chosen among the allowed ones: the likeliest of all
 * is, and of a random choice it is the first that is not turned down. So most tokens cost one look at one text.
 */
std::optional<llama_token> Sequence::choose(const RowOutput & output, const LanguageModel & model) {
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

bool Sequence::advance(const RowOutput & output, const LanguageModel & model) {
    if (wants_first_logits_ && tokens_.empty()) {
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
    tokens_.push_back(token);
    if (constraint_) {
        constraint_->accept(token);
        if (constraint_->is_over()) {
            return true;
        }
    }
    if (stop_loops_ && repetition_.add(token)) {
        ending_ = Ending::loop;
    } else if (static_cast<int>(tokens_.size()) >= max_tokens_) {
        ending_ = Ending::length;
    }
    return ending_ != Ending::stop;
}

/**
 * Tokens without a loop's later rounds. Where a loop begins within a sentence its first round ends within one, so up to
 * a round more is kept, to the next end of a sentence.
 */
size_t Sequence::kept_tokens(const Tokenizer & tokenizer) const {
    if (ending_ != Ending::loop) {
        return tokens_.size();
    }
    const int first = repetition_.first_round_end();
    for (int kept = first; kept < first + repetition_.period(); kept++) {
        std::string end;   // of several tokens: a full stop of three bytes may be three of them
        for (int i = std::max(0, kept - 3); i < kept; i++) {
            end += tokenizer.piece(tokens_[i]);
        }
        if (ends_sentence(end)) {
            return kept;
        }
    }
    return first;
}

Caption Sequence::caption(const LanguageModel & model) const {
    Caption caption;
    caption.tokens.assign(tokens_.begin(), tokens_.begin() + static_cast<ptrdiff_t>(kept_tokens(model.tokenizer())));
    if (constraint_) {
        caption.text = constraint_->completed(caption.tokens);
    } else {
        std::string bytes;
        for (const llama_token token : caption.tokens) {
            bytes += model.tokenizer().piece(token);
        }
        caption.text = valid_utf8(bytes);
    }
    caption.ending = ending_;
    caption.prompt_tokens = prompt_tokens();
    caption.image_tokens = image_tokens_;
    caption.first_logits = first_logits_;
    return caption;
}

}   // namespace vcap
