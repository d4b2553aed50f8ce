#include "core/language/sampler.h"

#include <algorithm>

namespace vcap {

Sampler::Sampler(float temperature, float top_p, uint32_t seed) {
    if (temperature <= 0) {
        return;
    }
    chain_.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    llama_sampler_chain_add(chain_.get(), llama_sampler_init_temp(temperature));
    llama_sampler_chain_add(chain_.get(), llama_sampler_init_top_p(top_p, 1));
    llama_sampler_chain_add(chain_.get(), llama_sampler_init_dist(seed));
}

llama_token Sampler::choose(const float * logits, int vocabulary) {
    if (chain_ == nullptr) {
        return static_cast<llama_token>(std::max_element(logits, logits + vocabulary) - logits);
    }
    candidates_.resize(vocabulary);
    for (llama_token token = 0; token < vocabulary; token++) {
        candidates_[token] = {token, logits[token], 0};
    }
    return choose_candidate();
}

llama_token Sampler::choose_among(const std::vector<llama_token> & tokens, const float * logits) {
    if (chain_ == nullptr) {
        return *std::max_element(tokens.begin(), tokens.end(),
                                 [&](llama_token a, llama_token b) { return logits[a] < logits[b]; });
    }
    candidates_.clear();
    for (const llama_token token : tokens) {
        candidates_.push_back({token, logits[token], 0});
    }
    return choose_candidate();
}

llama_token Sampler::choose_candidate() {
    llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
    llama_sampler_apply(chain_.get(), &array);
    return array.data[array.selected].id;
}

}   // namespace vcap
