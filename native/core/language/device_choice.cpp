#include "core/language/device_choice.h"

#include <algorithm>

#include "ggml-cpp.h"
#include "ggml.h"

namespace vcap {
namespace {

const char * name(const llama_sampler *) { return "likeliest"; }

/** For logits on the host, where llama.cpp would ask for it. */
void choose_on_host(llama_sampler *, llama_token_data_array * candidates) {
    const llama_token_data * end = candidates->data + candidates->size;
    const auto by_logit = [](const llama_token_data & a, const llama_token_data & b) { return a.logit < b.logit; };
    candidates->selected =
        std::max_element(candidates->data, candidates->data + candidates->size, by_logit) - (end - candidates->size);
}

bool begin(llama_sampler *, ggml_backend_buffer_type_t, uint32_t) { return true; }

void choose_on_device(llama_sampler *, ggml_context * graph, ggml_cgraph *, llama_sampler_data * data) {
    ggml_tensor * logits = ggml_reshape_1d(graph, data->logits, ggml_nelements(data->logits));
    data->sampled = ggml_argmax(graph, logits);
    data->probs = ggml_sum(graph, logits);
    data->logits = nullptr;   // what stays here is copied to the host
}

llama_sampler_i likeliest = {
    name,
    nullptr,
    choose_on_host,
    nullptr,
    nullptr,
    nullptr,
    /*backend_init =*/begin,
    nullptr,
    /*backend_apply =*/choose_on_device,
    nullptr,
    nullptr,
    nullptr,
};

}   // namespace

SamplerPtr likeliest_on_device() {
    SamplerPtr chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    llama_sampler_chain_add(chain.get(), llama_sampler_init(&likeliest, nullptr));
    return chain;
}

bool can_choose_on(const std::vector<ggml_backend_dev_t> & devices, int vocabulary) {
    const ggml_context_ptr graph(ggml_init({4 * ggml_tensor_overhead(), nullptr, /*no_alloc =*/true}));
    ggml_tensor * logits = ggml_new_tensor_1d(graph.get(), GGML_TYPE_F32, vocabulary);
    const ggml_tensor * token = ggml_argmax(graph.get(), logits);
    const ggml_tensor * sum = ggml_sum(graph.get(), logits);
    const auto can = [&](ggml_backend_dev_t device) {
        return ggml_backend_dev_supports_op(device, token) && ggml_backend_dev_supports_op(device, sum);
    };
    return !devices.empty() && std::all_of(devices.begin(), devices.end(), can);
}

}   // namespace vcap
