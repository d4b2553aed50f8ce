#pragma once

#include <cstdint>
#include <vector>

#include "core/language/device_choice.h"
#include "llama.h"

namespace vcap {

/**
 * Chooses the next token from the logits: greedily, or at random after scaling by temperature and keeping the nucleus
 * (top-p), in this order, which is that of Hugging Face transformers. Each caption has its own sampler. One thread at a
 * time.
 */
class Sampler {
public:
    /**
     * `temperature` 0 chooses the likeliest token each time and ignores the other two. `top_p`: the probability, 0 to
     * 1, that the kept tokens have together at least.
     */
    Sampler(float temperature, float top_p, uint32_t seed);

    /** Whether it chooses the likeliest token each time. */
    bool greedy() const { return chain_ == nullptr; }
    /** `logits`: [vocabulary]. */
    llama_token choose(const float * logits, int vocabulary);
    /** The same where only these tokens, of which there is one or more, may be chosen. */
    llama_token choose_among(const std::vector<llama_token> & tokens, const float * logits);

private:
    llama_token choose_candidate();

    SamplerPtr chain_;                           // null: greedy
    std::vector<llama_token_data> candidates_;   // kept for its memory
};

}   // namespace vcap
