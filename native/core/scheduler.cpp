#include "core/scheduler.h"

#include <algorithm>

namespace vcap {

Scheduler::Scheduler(int slots) : slots_(slots) {}

void Scheduler::admit(const JobPtr & job) {
    const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
    job->slot = static_cast<int>(free - slots_.begin());
    *free = job;
    prefill_order_.push_back(job);
    running_++;
}

void Scheduler::retire(const Job & job) {
    prefill_order_.erase(std::remove_if(prefill_order_.begin(), prefill_order_.end(), [&](const JobPtr & other) { return other.get() == &job; }),
                         prefill_order_.end());
    slots_[job.slot] = nullptr;
    running_--;
}

std::vector<JobPtr> Scheduler::jobs() const {
    std::vector<JobPtr> jobs;
    std::copy_if(slots_.begin(), slots_.end(), std::back_inserter(jobs), [](const JobPtr & job) { return job != nullptr; });
    return jobs;
}

std::vector<Scheduler::Slice> Scheduler::plan(int capacity) const {
    std::vector<Slice> slices;
    for (const JobPtr & job : slots_) {
        if (job != nullptr && !job->sequence->prefilling() && capacity > 0) {
            slices.push_back({job.get(), 1});
            capacity--;
        }
    }
    for (const JobPtr & job : prefill_order_) {
        const int rows = job->sequence->prefilling() ? std::min(capacity, job->sequence->pending()) : 0;
        if (rows > 0) {
            slices.push_back({job.get(), rows});
            capacity -= rows;
        }
    }
    return slices;
}

}  // namespace vcap
