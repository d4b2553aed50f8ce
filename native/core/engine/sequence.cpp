#include "core/engine/sequence.h"

namespace vcap {

Sequence::Sequence(std::vector<llama_token> before, int image_tokens, std::vector<Turn> turns)
    : before_(std::move(before)), image_tokens_(image_tokens), turns_(std::move(turns)) {}

void Sequence::copy_row(int row, float * to, const VisionFeatures & features, const std::vector<float> & newline,
                        const TokenEmbeddings & embeddings) const {
    if (row < shared_length()) {
        embeddings.copy_row(before_[row], to);
    } else if (row < prefix_length()) {
        features.copy_row(row - shared_length(), newline, to);
    } else {
        embeddings.copy_row(turn().token(row - prefix_length()), to);
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

void Sequence::next_turn(int kept) {
    current_++;
    seen_ = kept;
}

Caption Sequence::caption(const Tokenizer & tokenizer) const {
    Caption caption = turn().caption(tokenizer);
    caption.prompt_tokens = shared_length() + turn().question_length();
    caption.image_tokens = image_tokens_;
    return caption;
}

}   // namespace vcap
