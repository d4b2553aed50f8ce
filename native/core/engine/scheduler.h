#pragma once

#include <vector>

#include "core/engine/job.h"

namespace vcap {

/** Who runs, and which rows of whom go into the next batch. Continuous batching: a slot is free as soon as its caption
 * ends. */
class Scheduler {
public:
    explicit Scheduler(int slots);

    /** Rows of one job in a batch. */
    struct Slice {
        JobPtr job;
        int rows;
    };

    int free_slots() const { return static_cast<int>(slots_.size()) - running(); }
    int running() const { return running_; }
    /** Gives the job a slot. Where the slot's KV stream still holds the text before the images, that is not prefilled
     * again. */
    void admit(const JobPtr & job);
    /** Takes the job's slot back and returns how many positions of its stream are worth keeping: the text before the
     * images. */
    int retire(Job & job);
    /** The stream of this slot is empty now. */
    void forget(int slot) { slots_[slot].kept = 0; }
    /** The running jobs, by slot. */
    std::vector<JobPtr> jobs() const;

    /**
     * At most `capacity` rows: one for each caption that is being decoded, so that none waits,
     * then prompts in the order they came. Slices of decoding jobs are sorted by slot: llama.cpp
     * joins neighbouring KV streams into one ubatch.
     */
    std::vector<Slice> plan(int capacity) const;

private:
    struct Slot {
        JobPtr job;
        int kept =
            0;   // positions of a template's first text that the stream holds already: the same for every request
    };

    std::vector<Slot> slots_;
    std::vector<JobPtr> prefill_order_;
    int running_ = 0;
};

}   // namespace vcap
