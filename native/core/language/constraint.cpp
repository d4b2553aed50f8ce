#include "core/language/constraint.h"

#include <algorithm>

namespace vcap {

Constraint::Constraint(std::shared_ptr<const Grammar> grammar, const TokenTexts & texts)
    : grammar_(std::move(grammar)), texts_(&texts), matcher_(grammar_) {}

bool Constraint::is_end(llama_token token) const {
    const std::vector<llama_token> & ends = texts_->ends();
    return std::find(ends.begin(), ends.end(), token) != ends.end();
}

bool Constraint::allows(llama_token token) {
    if (is_end(token)) {
        return matcher_.may_end();
    }
    const std::string_view text = texts_->of(token);
    return !text.empty() && matcher_.allows(text);
}

/** Goes through the texts in their order and takes from each only the bytes that are not those of the one before. */
const std::vector<llama_token> & Constraint::allowed() {
    allowed_.clear();
    if (matcher_.may_end()) {
        allowed_ = texts_->ends();
    }
    if (path_.empty()) {
        path_.emplace_back();
    }
    path_[0] = matcher_.state();
    size_t reached = 0;   // bytes of the text before that can be taken
    for (int i = 0; i < texts_->size(); i++) {
        const std::string_view text = texts_->text(i);
        if (texts_->shared(i) > reached) {
            continue;   // begins with what cannot be taken
        }
        size_t at = texts_->shared(i);
        if (path_.size() <= text.size()) {
            path_.resize(text.size() + 1);
        }
        while (at < text.size() && matcher_.advance(path_[at], static_cast<uint8_t>(text[at]), path_[at + 1])) {
            at++;
        }
        reached = at;
        if (at == text.size()) {
            allowed_.push_back(texts_->token(i));
        }
    }
    return allowed_;
}

std::string Constraint::completed(const std::vector<llama_token> & tokens) const {
    Matcher matcher(grammar_);
    std::string text;
    for (const llama_token token : tokens) {
        text += texts_->of(token);
        matcher.accept(texts_->of(token));
    }
    text.resize(text.size() - static_cast<size_t>(matcher.state().bytes));
    return text + matcher.shortest_end();
}

}   // namespace vcap
