#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "core/engine/job_queue.h"
#include "core/engine/scheduler.h"
#include "core/error.h"
#include "core/language/language_model.h"
#include "core/vision/vision.h"

namespace vcap {

/** Seconds of an engine's thread since it was started, the step that it is in not counted. */
struct EngineTime {
    double busy = 0;     // in which it computed
    double filled = 0;   // the same, each second times the share of its slots for which it had captions
};

/**
 * What the engine's one thread does: it takes prepared jobs out of the queue, runs the models for them, step by step,
 * and answers them. Everything but time() is for that thread alone.
 */
class Runner {
public:
    /** All three must outlive it. */
    Runner(JobQueue & queue, VisionModel & vision, LanguageModel & language_model);

    /** Runs until the queue is aborted, or closed with nothing left; what is left then is answered with `aborted`. */
    void run();
    /** From any thread. */
    EngineTime time();

private:
    bool has_jobs() const;
    double filled_share() const;
    void count(double seconds, double share);
    void drop_cancelled();
    void encode();
    void take_features(const JobPtr & job);
    void answer_embedding(const JobPtr & job);
    void decode();
    void admit_ready();
    void take_output(const JobPtr & job, int row, Clock::time_point now);
    void take_answer(const JobPtr & job, Clock::time_point now);
    void clear_poisoned();
    void finish(const JobPtr & job);
    void fail_not_finite(const JobPtr & job, const std::string & what);
    void fail_all(const Error & error);

    JobQueue & queue_;
    VisionModel & vision_;
    LanguageModel & language_model_;
    Batch batch_;
    Scheduler scheduler_;

    std::deque<JobPtr> waiting_;   // prepared, for the tower
    std::deque<JobPtr> ready_;     // encoded, for a slot
    // Whether a KV stream holds what is no number. Attention would spread it to the stream's next caption, also from
    // positions that are masked: 0 times NaN is NaN. No caption gets a slot until all streams are cleared.
    bool poisoned_ = false;
    int not_finite_ = 0;   // requests in a row, with no good one between them

    std::mutex time_mutex_;
    EngineTime time_;   // under that mutex
};

}   // namespace vcap
