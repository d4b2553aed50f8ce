#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/engine/job.h"
#include "core/error.h"

namespace vcap {

/**
 * The requests of an engine on their way from the threads that submit them, by those that prepare them, to the one that
 * runs the models, and how that way ends. It is what these threads share: every method may be called on any of them.
 */
class JobQueue {
public:
    /** Numbers a job that is about to be prepared; hand_over() must follow. Throws closed. */
    uint64_t enter(const JobPtr & job);
    /** Whether anybody still wants it. */
    bool wants(const Job & job);
    /**
     * Says that the job is prepared, or why it cannot be, and passes it on to take(). Returns why it is not passed on
     * but forgotten: that error, or `aborted` where nobody wants the job any more. The caller answers it then.
     */
    std::optional<Error> hand_over(const JobPtr & job, std::optional<Error> error);

    /**
     * Waits until there is work for the thread that runs the models, and appends what was handed over to `waiting`.
     * `busy`: that thread has work of its own, and so does not wait. False when it is to end: everything is aborted, or
     * the queue is closed and nothing is left.
     */
    bool take(std::deque<JobPtr> & waiting, bool busy);
    /** What was handed over and not taken, without waiting. */
    std::deque<JobPtr> take_rest();
    /** Whether any job has been cancelled since it was last asked. */
    bool take_cancelled();
    /** Says that the job is as good as answered: its number is no longer under way. */
    void forget(const Job & job);

    /** Marks the job as cancelled, for whoever has it now to answer. A number that is not under way is ignored. */
    void cancel(uint64_t id);
    /** Takes no more jobs. `closed` is called when those that there are have been answered: by end(), or at once. */
    void close(std::function<void()> closed);
    /** Takes no more jobs, and wants none. For good. */
    void abort();
    /** Says that nothing will be taken any more; calls what close() was given. */
    void end();

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<JobPtr> prepared_;   // for the thread that runs the models to take
    int preparing_ = 0;             // jobs that have entered and are not handed over
    std::unordered_map<uint64_t, std::weak_ptr<Job>> jobs_;
    uint64_t next_id_ = 1;
    bool closing_ = false;
    bool aborting_ = false;
    bool some_cancelled_ = false;
    bool ended_ = false;
    std::vector<std::function<void()>> on_closed_;
};

}   // namespace vcap
