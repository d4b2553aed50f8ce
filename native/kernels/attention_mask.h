#pragma once

#include <vector>

#include "kernels/attention_shape.h"
#include "kernels/parallel.h"

namespace vcap::kernels {

/** The mask of an attention: half precision, the same for all heads. Says beforehand which panels of keys a block need
 * not meet. */
class AttentionMask {
public:
    /** `mask` [keys, queries, 1, streams], or null: nothing is masked. */
    AttentionMask(const ggml_tensor * mask, const AttentionShape & shape, Team & team);

    bool hides_all(int64_t stream, int64_t block, int64_t panel) const {
        return cover(stream, block, panel) == Cover::all;
    }
    bool hides_some(int64_t stream, int64_t block, int64_t panel) const {
        return cover(stream, block, panel) == Cover::some;
    }
    /** A row of keys for each query. */
    Rows rows(int64_t stream) const {
        return {mask_->type, static_cast<const char *>(mask_->data) + stream % mask_->ne[3] * mask_->nb[3],
                mask_->nb[1]};
    }

private:
    enum class Cover : uint8_t { none, some, all };

    Cover cover(int64_t stream, int64_t block, int64_t panel) const {
        return covers_[(stream * shape_.blocks + block) * shape_.panels + panel];
    }
    Cover measure(int64_t stream, int64_t block, int64_t panel) const;

    const ggml_tensor * mask_;
    const AttentionShape & shape_;
    std::vector<Cover> covers_;   // [streams, blocks, panels]
};

}   // namespace vcap::kernels
