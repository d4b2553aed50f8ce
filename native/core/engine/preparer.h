#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/engine/job.h"

namespace vcap {

/** A few threads that prepare jobs for the engine's thread, each job on one of them, begun in the order they came. */
class Preparer {
public:
    /** Starts one thread. `prepare` is called on these threads and must not throw. Throws engine_lost. */
    explicit Preparer(std::function<void(const JobPtr &)> prepare);
    /** Prepares what it still has, then joins the threads. */
    ~Preparer();
    Preparer(const Preparer &) = delete;
    Preparer & operator=(const Preparer &) = delete;

    /** Starts more threads, up to `threads` together; fewer where the system allows no more. */
    void grow(int threads);
    /** From any thread. */
    void add(const JobPtr & job);

private:
    void run();

    std::function<void(const JobPtr &)> prepare_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<JobPtr> jobs_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}   // namespace vcap
