#pragma once

#include <vector>

#include "core/engine/job.h"

namespace vcap {

/**
 * Who runs, and which rows of whom go into the next batch. A slot is a KV stream of the language model; it is free
 * again as soon as its caption ends (continuous batching).
 */
class Scheduler {
public:
    explicit Scheduler(int slots);

    /** The next rows of one job in a batch. */
    struct Slice {
        JobPtr job;
        int rows;
    };

    int slots() const { return static_cast<int>(slots_.size()); }
    int free_slots() const { return slots() - running(); }
    /** Jobs that have a slot. */
    int running() const { return running_; }
    /** Gives the job a free slot. What the slot's KV stream has cached of the prompt's first text is not prefilled
     * again. */
    void admit(const JobPtr & job);
    /**
     * Takes the job's slot back. Returns how many positions of its KV stream stay cached: those of the text before the
     * images, which is the same for every request. The caller drops the positions behind them.
     */
    int retire(Job & job);
    /** Says that the KV stream of this slot is empty now. */
    void forget(int slot) { slots_[slot].cached_prefix = 0; }
    /** Says that all KV streams are empty now. No job runs. */
    void forget_all();
    /** The running jobs, in the order of their slots. */
    std::vector<JobPtr> jobs() const;

    /**
     * Slices of at most `capacity` rows together: one row for each caption that is being decoded, so that none waits,
     * then prompts in the order they came. Slices of decoding jobs are in the order of their slots, since llama.cpp
     * joins neighbouring KV streams into one ubatch.
     */
    std::vector<Slice> plan(int capacity) const;

private:
    struct Slot {
        JobPtr job;
        int cached_prefix = 0;   // positions of the template's first text that the KV stream still holds
    };

    std::vector<Slot> slots_;
    std::vector<JobPtr> prefill_order_;   // running jobs, in the order they were admitted
    int running_ = 0;
};

}   // namespace vcap
