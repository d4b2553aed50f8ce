#include "core/engine/scheduler.h"

#include <algorithm>

namespace vcap {

Scheduler::Scheduler(int slots) : slots_(slots) {}

void Scheduler::admit(const JobPtr & job) {
    const auto free = std::find_if(slots_.begin(), slots_.end(), [](const Slot & slot) { return slot.job == nullptr; });
    job->slot = static_cast<int>(free - slots_.begin());
    job->sequence->start_at(free->cached_prefix);
    free->job = job;
    prefill_order_.push_back(job);
    running_++;
}

int Scheduler::retire(Job & job) {
    prefill_order_.erase(std::remove_if(prefill_order_.begin(), prefill_order_.end(),
                                        [&](const JobPtr & other) { return other.get() == &job; }),
                         prefill_order_.end());
    Slot & slot = slots_[job.slot];
    slot.cached_prefix = std::min(job.sequence->seen(), job.sequence->shared_length());
    slot.job = nullptr;
    job.slot = -1;
    running_--;
    return slot.cached_prefix;
}

void Scheduler::forget_all() {
    for (Slot & slot : slots_) {
        slot.cached_prefix = 0;
    }
}

std::vector<JobPtr> Scheduler::jobs() const {
    std::vector<JobPtr> jobs;
    for (const Slot & slot : slots_) {
        if (slot.job != nullptr) {
            jobs.push_back(slot.job);
        }
    }
    return jobs;
}

std::vector<Scheduler::Slice> Scheduler::plan(int capacity) const {
    std::vector<Slice> slices;
    for (const Slot & slot : slots_) {
        if (slot.job != nullptr && !slot.job->sequence->prefilling() && capacity > 0) {
            slices.push_back({slot.job, 1});
            capacity--;
        }
    }
    for (const JobPtr & job : prefill_order_) {
        const int rows = job->sequence->prefilling() ? std::min(capacity, job->sequence->pending()) : 0;
        if (rows > 0) {
            slices.push_back({job, rows});
            capacity -= rows;
        }
    }
    return slices;
}

}   // namespace vcap
