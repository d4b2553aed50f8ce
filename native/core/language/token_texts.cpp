#include "core/language/token_texts.h"

#include <algorithm>

namespace vcap {

TokenTexts::TokenTexts(const Tokenizer & tokenizer, int vocabulary) : indices_(vocabulary, -1) {
    std::vector<std::pair<std::string, llama_token>> all;
    for (llama_token token = 0; token < vocabulary; token++) {
        if (tokenizer.ends(token)) {
            ends_.push_back(token);
            continue;
        }
        std::string text = tokenizer.piece(token);
        if (!text.empty()) {
            all.emplace_back(std::move(text), token);
        }
    }
    std::sort(all.begin(), all.end());
    std::string_view before;
    for (const auto & [text, token] : all) {
        const auto [differs, same] =
            std::mismatch(before.begin(), before.begin() + static_cast<ptrdiff_t>(std::min(before.size(), text.size())),
                          text.begin());
        shared_.push_back(static_cast<size_t>(differs - before.begin()));
        indices_[token] = static_cast<int>(tokens_.size());
        tokens_.push_back(token);
        begins_.push_back(bytes_.size());
        bytes_ += text;
        before = text;
    }
    begins_.push_back(bytes_.size());
}

}   // namespace vcap
