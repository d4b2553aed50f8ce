#pragma once

#include <vector>

#include "kernels/attention_shape.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/**
 * The mask of an attention, which is added to the scores and is the same for all heads: 0 where a query sees a key,
 * minus infinity where it does not, or any bias. It is classified once for each query block and key panel, so that
 * attention skips panels that are masked entirely and adds the mask only where it changes a score.
 */
class AttentionMask {
public:
    /**
     * `mask` is F16, [streams, 1, queries, keys], where a first dimension of 1 serves all streams; null masks nothing.
     * The tensor and `shape` outlive this object. Runs on the team's threads.
     */
    AttentionMask(const ggml_tensor * mask, const AttentionShape & shape, Team & team);

    /** Whether every query of a query block has minus infinity for every key of a panel. */
    bool masks_all(int64_t stream, int64_t query_block, int64_t panel) const {
        return coverage(stream, query_block, panel) == Coverage::all;
    }

    /** Whether the mask changes some scores of a query block and a panel, but is not minus infinity for all. */
    bool masks_some(int64_t stream, int64_t query_block, int64_t panel) const {
        return coverage(stream, query_block, panel) == Coverage::some;
    }

    /** The mask of a stream, [queries, keys] in F16. Only for a mask that is not null. */
    MatrixView matrix(int64_t stream) const {
        return {mask_->type, static_cast<const char *>(mask_->data) + stream % mask_->ne[3] * mask_->nb[3],
                mask_->nb[1]};
    }

private:
    enum class Coverage : uint8_t { none, some, all };

    Coverage coverage(int64_t stream, int64_t query_block, int64_t panel) const {
        return coverage_[(stream * shape_.query_blocks + query_block) * shape_.key_panels + panel];
    }
    /** Reads the mask of a query block and a panel. */
    Coverage classify(int64_t stream, int64_t query_block, int64_t panel) const;

    const ggml_tensor * mask_;
    const AttentionShape & shape_;
    std::vector<Coverage> coverage_;   // [streams, query blocks, key panels]
};

}   // namespace vcap::kernels
