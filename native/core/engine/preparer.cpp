#include "core/engine/preparer.h"

#include <system_error>

#include "core/error.h"

namespace vcap {

Preparer::Preparer(int threads, std::function<void(const JobPtr &)> prepare) : prepare_(std::move(prepare)) {
    try {
        for (int i = 0; i < threads; i++) {
            threads_.emplace_back([this] { run(); });
        }
    } catch (const std::system_error & error) {
        // One is enough; the system may allow no more.
        if (threads_.empty()) {
            throw Error("engine_error", std::string("No thread could be started to prepare pictures: ") + error.what());
        }
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
