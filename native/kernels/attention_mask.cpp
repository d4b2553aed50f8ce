#include "kernels/attention_mask.h"

namespace vcap::kernels {

AttentionMask::AttentionMask(const ggml_tensor * mask, const AttentionShape & shape, Team & team)
    : mask_(mask), shape_(shape), covers_(shape.streams * shape.blocks * shape.panels, Cover::none) {
    if (mask == nullptr) {
        return;
    }
    team.each(static_cast<int>(shape.streams * shape.blocks), [&](int item, Scratch &) {
        for (int64_t panel = 0; panel < shape.panels; panel++) {
            covers_[item * shape.panels + panel] = measure(item / shape.blocks, item % shape.blocks, panel);
        }
    });
}

AttentionMask::Cover AttentionMask::measure(int64_t stream, int64_t block, int64_t panel) const {
    constexpr uint16_t minus_infinity = 0xFC00;
    const int64_t first = block * shape_.block_queries;
    const int64_t end = std::min(shape_.queries, first + shape_.block_queries);
    const int64_t count = std::min<int64_t>(PANEL, shape_.keys - panel * PANEL);
    bool none = true;
    bool all = true;
    for (int64_t query = first; query < end && (none || all); query++) {
        const auto * values = reinterpret_cast<const ggml_fp16_t *>(rows(stream).at(query)) + panel * PANEL;
        uint16_t unlike_zero = 0;
        uint16_t unlike_infinity = 0;
        for (int64_t i = 0; i < count; i++) {
            unlike_zero |= values[i];
            unlike_infinity |= values[i] ^ minus_infinity;
        }
        none &= unlike_zero == 0;
        all &= unlike_infinity == 0;
    }
    return none ? Cover::none : all ? Cover::all : Cover::some;
}

}   // namespace vcap::kernels
