#pragma once

#include <vector>

#include "core/engine/request.h"
#include "core/language/language_model.h"
#include "core/language/prompt.h"
#include "core/language/sampler.h"
#include "core/vision/features.h"

namespace vcap {

/**
 * One caption on its way: a prompt of text, image features, text; then the tokens generated.
 * Its rows are numbered from the prompt's first on; row i stands at position i.
 */
class Sequence {
public:
    Sequence(const CaptionRequest & request, PromptTokens prompt, int image_tokens);

    int prompt_length() const { return prompt_.count() + image_tokens_; }
    /** Rows at the beginning that every request of this template has in common: the text before the images. */
    int shared_length() const { return static_cast<int>(prompt_.before.size()); }
    int prompt_tokens() const { return prompt_.count(); }
    int image_tokens() const { return image_tokens_; }

    /** Rows that the language model has not seen: the rest of the prompt, or the last token. */
    int pending() const { return prompt_length() + static_cast<int>(tokens_.size()) - seen_; }
    bool prefilling() const { return seen_ < prompt_length(); }
    /** The first `count` rows are in the KV stream already. */
    void start_at(int count) { seen_ = count; }
    /** Position of the first pending row. */
    int seen() const { return seen_; }
    /** Adds `count` pending rows to the batch; the last of all asks for logits. Returns that row's index, or -1. */
    int add_rows(Batch & batch, int slot, int count, const VisionFeatures & features,
                 const std::vector<float> & newline, const TokenEmbeddings & embeddings);

    /** Takes the next token from the logits. True when the caption is finished. */
    bool advance(const float * logits, const LanguageModel & model);
    /** The caption so far; timings are left to the caller. */
    Caption caption(const LanguageModel & model) const;

private:
    void copy_row(int row, float * to, const VisionFeatures & features, const std::vector<float> & newline,
                  const TokenEmbeddings & embeddings) const;

    PromptTokens prompt_;
    int image_tokens_;
    int max_tokens_;
    bool ignore_eos_;
    bool wants_first_logits_;
    Sampler sampler_;
    int seen_ = 0;
    bool cut_ = false;
    std::vector<llama_token> tokens_;
    std::vector<float> first_logits_;
};

}   // namespace vcap
