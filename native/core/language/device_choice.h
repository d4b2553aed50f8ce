#pragma once

#include <memory>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"

namespace vcap {

struct SamplerDeleter {
    void operator()(llama_sampler * sampler) const { llama_sampler_free(sampler); }
};
using SamplerPtr = std::unique_ptr<llama_sampler, SamplerDeleter>;

/**
 * A sampler for llama_set_sampler() that chooses the likeliest token where the logits are computed, so that of a row
 * two numbers come back instead of one for each token of the vocabulary: the token, as llama_get_sampled_token_ith(),
 * and the sum of the logits, as the one number of llama_get_sampled_probs_ith(), which is finite where they all are.
 * Serves one sequence of one context, once.
 */
SamplerPtr likeliest_on_device();

/** Whether all these devices have what likeliest_on_device() computes; false for none. */
bool can_choose_on(const std::vector<ggml_backend_dev_t> & devices, int vocabulary);

}   // namespace vcap
