#pragma once

#include <optional>
#include <vector>

#include "core/engine/request.h"
#include "core/language/constraint.h"
#include "core/language/language_model.h"
#include "core/language/repetition.h"
#include "core/language/sampler.h"
#include "core/language/tokenizer.h"
#include "core/vision/features.h"

namespace vcap {

/**
 * One caption on its way: a prompt of text, image features and text, then the tokens generated. Its rows are numbered
 * from the prompt's first one on, and row i stands at position i of its KV stream.
 */
class Sequence {
public:
    /** `constraint`: what holds the answer to the request's grammar, where it has one. */
    Sequence(const CaptionRequest & request, PromptTokens prompt, int image_tokens,
             std::optional<Constraint> constraint);

    /** Rows of the prompt, image features included. */
    int prompt_length() const { return prompt_.count() + image_tokens_; }
    /** Rows at the beginning that every request of this template has in common: the text before the images. */
    int shared_length() const { return static_cast<int>(prompt_.before.size()); }
    /** Text tokens of the prompt. */
    int prompt_tokens() const { return prompt_.count(); }
    int image_tokens() const { return image_tokens_; }

    /** Rows that the language model has not seen: the rest of the prompt, or the last token. */
    int pending() const { return prompt_length() + static_cast<int>(tokens_.size()) - seen_; }
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

    /** Whether the likeliest token is not enough: logits are sampled from, or asked for. */
    bool needs_logits() const { return wants_first_logits_ || constraint_ || !sampler_.greedy(); }
    /**
     * Takes the next token from an output whose logits are finite numbers. True when the caption is finished.
     */
    bool advance(const RowOutput & output, const LanguageModel & model);
    /** The caption so far, without tiles and timings. */
    Caption caption(const LanguageModel & model) const;

private:
    std::optional<llama_token> choose(const RowOutput & output, const LanguageModel & model);
    size_t kept_tokens(const Tokenizer & tokenizer) const;
    void copy_row(int row, float * to, const VisionFeatures & features, const std::vector<float> & newline,
                  const TokenEmbeddings & embeddings) const;

    PromptTokens prompt_;
    int image_tokens_;
    int max_tokens_;
    bool ignore_eos_;
    bool stop_loops_;
    bool wants_first_logits_;
    Sampler sampler_;
    std::optional<Constraint> constraint_;
    int seen_ = 0;
    Ending ending_ = Ending::stop;
    std::vector<llama_token> tokens_;   // generated
    RepetitionWatch repetition_;
    std::vector<float> first_logits_;
};

}   // namespace vcap
