#include "kernels/attention_mask.h"

namespace vcap::kernels {

AttentionMask::AttentionMask(const ggml_tensor * mask, const AttentionShape & shape, Team & team)
    : mask_(mask), shape_(shape), coverage_(shape.streams * shape.query_blocks * shape.key_panels, Coverage::none) {
    if (mask == nullptr) {
        return;
    }
    team.parallel_for(static_cast<int>(shape.streams * shape.query_blocks), [&](int item, ScratchBuffer &) {
        for (int64_t panel = 0; panel < shape.key_panels; panel++) {
            coverage_[item * shape.key_panels + panel] =
                classify(item / shape.query_blocks, item % shape.query_blocks, panel);
        }
    });
}

AttentionMask::Coverage AttentionMask::classify(int64_t stream, int64_t query_block, int64_t panel) const {
    constexpr uint16_t minus_infinity = 0xFC00;   // in F16
    const int64_t first_query = query_block * shape_.query_block_queries;
    const int64_t end_query = std::min(shape_.queries, first_query + shape_.query_block_queries);
    const int64_t count = shape_.keys_in_panels(panel, 1);
    const MatrixView mask = matrix(stream);
    bool none = true;
    bool all = true;
    for (int64_t query = first_query; query < end_query && (none || all); query++) {
        const auto * values = reinterpret_cast<const ggml_fp16_t *>(mask.row(query)) + panel * PANEL_COLUMNS;
        // The bits that differ from those of 0 and of minus infinity, over all keys: a loop without branches
        // vectorises.
        uint16_t zero_difference = 0;
        uint16_t infinity_difference = 0;
        for (int64_t i = 0; i < count; i++) {
            zero_difference |= values[i];
            infinity_difference |= values[i] ^ minus_infinity;
        }
        none &= zero_difference == 0;
        all &= infinity_difference == 0;
    }
    return none ? Coverage::none : all ? Coverage::all : Coverage::some;
}

}   // namespace vcap::kernels
