#pragma once

#include <vector>

#include "core/engine/turn.h"
#include "core/language/language_model.h"
#include "core/vision/features.h"

namespace vcap {

/**
 * What stands in one KV stream: a prompt's text before the images, their features, a question and its answer. Several
 * questions take turns behind the same images. Rows are numbered from the first one on, and row i stands at position i
 * of the stream.
 */
class Sequence {
public:
    /** `before`: the text before the images, which is the same for all questions. `turns`: one or more. */
    Sequence(std::vector<llama_token> before, int image_tokens, std::vector<Turn> turns);

    /** Rows that every request of this template has in common: the text before the images. */
    int shared_length() const { return static_cast<int>(before_.size()); }
    /** Rows that all turns have in common: that text and the images. */
    int prefix_length() const { return shared_length() + image_tokens_; }
    /** Rows of the prompt as it is now, image features included. */
    int prompt_length() const { return prefix_length() + turn().question_length(); }

    /** Rows that the language model has not seen: the rest of the prompt, or the last token. */
    int pending() const { return prefix_length() + turn().length() - seen_; }
    bool prefilling() const { return seen_ < prompt_length(); }
    /** Says that the KV stream holds the first `count` rows already. */
    void start_at(int count) { seen_ = count; }
    /** Rows that the language model has seen, which is the position of the first pending one. */
    int seen() const { return seen_; }
    /**
     * Adds `count` pending rows to the batch, for KV stream `slot`. Where they reach the sequence's end the last of
     * them asks for logits and its index in the batch is returned, else -1.
     */
    int add_rows(Batch & batch, int slot, int count, const VisionFeatures & features,
                 const std::vector<float> & newline, const TokenEmbeddings & embeddings);

    /** The question that is being answered. */
    Turn & turn() { return turns_[current_]; }
    const Turn & turn() const { return turns_[current_]; }
    bool is_last_turn() const { return current_ + 1 == turns_.size(); }
    bool is_first_turn() const { return current_ == 0; }
    /** Goes on to the next question. The KV stream holds the first `kept` rows, of those before it, and none after. */
    void next_turn(int kept);
    /** The caption of the question that is being answered, so far, without tiles and timings. */
    Caption caption(const Tokenizer & tokenizer) const;

private:
    void copy_row(int row, float * to, const VisionFeatures & features, const std::vector<float> & newline,
                  const TokenEmbeddings & embeddings) const;

    std::vector<llama_token> before_;
    int image_tokens_;
    std::vector<Turn> turns_;
    size_t current_ = 0;
    int seen_ = 0;
};

}   // namespace vcap
