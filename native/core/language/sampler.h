#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "llama.h"

namespace vcap {

/** Chooses the next token: the likeliest, or by temperature and then nucleus, as transformers does. */
class Sampler {
public:
    /** `temperature` 0: greedy; the other two are not used then. */
    Sampler(float temperature, float top_p, uint32_t seed);

    llama_token choose(const float * logits, int vocabulary);

private:
    struct Deleter {
        void operator()(llama_sampler * chain) const { llama_sampler_free(chain); }
    };
    std::unique_ptr<llama_sampler, Deleter> chain_;   // none: greedy
    std::vector<llama_token_data> candidates_;
};

}   // namespace vcap
