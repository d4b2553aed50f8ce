#include "kernels/gelu.h"

#include <algorithm>

#include "kernels/simd.h"

namespace vcap::kernels {
namespace {

constexpr int64_t ITEM = 1 << 14;   // numbers that one item of work takes

Vec quick_gelu(Vec x) {
    const Vec y = x * 1.702f;
    const Vec e = exp_negative(y > 0.0f ? -y : y);
    return x * (y > 0.0f ? broadcast(1) : e) / (e + 1.0f);
}

}   // namespace

bool can_gelu(const ggml_tensor * op) {
    return ggml_get_unary_op(op) == GGML_UNARY_OP_GELU_QUICK && op->type == GGML_TYPE_F32 &&
           op->src[0]->type == GGML_TYPE_F32 && ggml_is_contiguous(op) && ggml_is_contiguous(op->src[0]);
}

void quick_gelu(ggml_tensor * op, Team & team) {
    const auto * from = static_cast<const float *>(op->src[0]->data);
    auto * to = static_cast<float *>(op->data);
    const int64_t count = ggml_nelements(op);
    team.each(static_cast<int>((count + ITEM - 1) / ITEM), [&](int item, Scratch &) {
        const int64_t end = std::min(count, (item + 1) * ITEM);
        int64_t i = item * ITEM;
        for (; i + LANES <= end; i += LANES) {
            store(to + i, quick_gelu(load(from + i)));
        }
        if (i < end) {
            float rest[LANES] = {};
            std::copy(from + i, from + end, rest);
            store(rest, quick_gelu(load(rest)));
            std::copy(rest, rest + (end - i), to + i);
        }
    });
}

}   // namespace vcap::kernels
