#include "core/engine/preparer.h"

#include "core/error.h"
#include "core/threads.h"

namespace vcap {

Preparer::Preparer(std::function<void(const JobPtr &)> prepare) : prepare_(std::move(prepare)) {
    threads_.push_back(start_thread("prepare pictures", [this] { run(); }));
}

void Preparer::grow(int threads) {
    try {
        while (static_cast<int>(threads_.size()) < threads) {
            threads_.push_back(start_thread("prepare pictures", [this] { run(); }));
        }
    } catch (const Error &) {   // one is enough
    }
}

Preparer::~Preparer() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    for (std::thread & thread : threads_) {
        thread.join();
    }
}

void Preparer::add(const JobPtr & job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(job);
    changed_.notify_one();
}

void Preparer::run() {
    while (true) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) {
            return;
        }
        const JobPtr job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        prepare_(job);
    }
}

}   // namespace vcap
