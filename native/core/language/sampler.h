#pragma once

#include <cstdint>
#include <memory>
#include <vector>

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

    /** `logits`: [vocabulary]. */
    llama_token choose(const float * logits, int vocabulary);

private:
    struct Deleter {
        void operator()(llama_sampler * chain) const { llama_sampler_free(chain); }
    };
    std::unique_ptr<llama_sampler, Deleter> chain_;   // null: greedy
    std::vector<llama_token_data> candidates_;        // [vocabulary], kept for its memory
};

}   // namespace vcap
