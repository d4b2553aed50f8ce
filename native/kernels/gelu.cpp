#include "kernels/gelu.h"

#include <algorithm>

#include "kernels/ceil_div.h"
#include "kernels/simd.h"

namespace vcap::kernels {
namespace {

// Elements that one work item of the team computes.
constexpr int64_t ITEM_ELEMENTS = 1 << 14;

/**
 * quick GELU of each lane. The logistic function of y is 1 / (1 + e^-y) for y > 0 and e^y / (1 + e^y) otherwise, so
 * that the exponential's argument is never positive and never overflows.
 */
Vec quick_gelu(Vec x) {
    const Vec y = x * 1.702f;
    const Vec e = exp_nonpositive(y > 0.0f ? -y : y);
    return x * (y > 0.0f ? broadcast(1) : e) / (e + 1.0f);
}

}   // namespace

bool supports_quick_gelu(const ggml_tensor * op) {
    return ggml_get_unary_op(op) == GGML_UNARY_OP_GELU_QUICK && op->type == GGML_TYPE_F32 &&
           op->src[0]->type == GGML_TYPE_F32 && ggml_is_contiguous(op) && ggml_is_contiguous(op->src[0]);
}

void quick_gelu(ggml_tensor * op, Team & team) {
    const auto * source = static_cast<const float *>(op->src[0]->data);
    auto * destination = static_cast<float *>(op->data);
    const int64_t count = ggml_nelements(op);
    team.parallel_for(static_cast<int>(ceil_div(count, ITEM_ELEMENTS)), [&](int item, ScratchBuffer &) {
        const int64_t end = std::min(count, (item + 1) * ITEM_ELEMENTS);
        int64_t i = item * ITEM_ELEMENTS;
        for (; i + LANES <= end; i += LANES) {
            store(destination + i, quick_gelu(load(source + i)));
        }
        if (i < end) {
            float padded[LANES] = {};
            std::copy(source + i, source + end, padded);
            store(padded, quick_gelu(load(padded)));
            std::copy(padded, padded + (end - i), destination + i);
        }
    });
}

}   // namespace vcap::kernels
