#include "core/engine/job_queue.h"

namespace vcap {

uint64_t JobQueue::enter(const JobPtr & job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_ || aborting_) {
        throw Error("closed", "This captioner is closed");
    }
    job->id = next_id_++;
    jobs_[job->id] = job;
    preparing_++;
    return job->id;
}

bool JobQueue::wants(const Job & job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return !aborting_ && !job.cancelled;
}

std::optional<Error> JobQueue::hand_over(const JobPtr & job, std::optional<Error> error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    preparing_--;
    if (!error && (aborting_ || job->cancelled)) {
        error = Error("aborted", "The work was cancelled");
    }
    if (error) {
        jobs_.erase(job->id);
    } else {
        prepared_.push_back(job);
    }
    changed_.notify_one();
    return error;
}

bool JobQueue::take(std::deque<JobPtr> & waiting, bool busy) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto has_work = [&] { return busy || !prepared_.empty(); };
    changed_.wait(lock, [&] { return has_work() || aborting_ || (closing_ && preparing_ == 0); });
    const bool goes_on = !aborting_ && has_work();
    waiting.insert(waiting.end(), prepared_.begin(), prepared_.end());
    prepared_.clear();
    return goes_on;
}

std::deque<JobPtr> JobQueue::take_rest() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::deque<JobPtr> rest;
    rest.swap(prepared_);
    return rest;
}

bool JobQueue::take_cancelled() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool some = some_cancelled_;
    some_cancelled_ = false;
    return some;
}

void JobQueue::forget(const Job & job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(job.id);
}

void JobQueue::cancel(uint64_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = jobs_.find(id);
    const JobPtr job = found == jobs_.end() ? nullptr : found->second.lock();
    if (job != nullptr) {
        job->cancelled = true;
        some_cancelled_ = true;
        changed_.notify_one();
    }
}

void JobQueue::close(std::function<void()> closed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) {
        closed();
        return;
    }
    closing_ = true;
    on_closed_.push_back(std::move(closed));
    changed_.notify_one();
}

void JobQueue::abort() {
    const std::lock_guard<std::mutex> lock(mutex_);
    aborting_ = true;
    changed_.notify_one();
}

void JobQueue::end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    for (const std::function<void()> & closed : on_closed_) {
        closed();
    }
}

}   // namespace vcap
