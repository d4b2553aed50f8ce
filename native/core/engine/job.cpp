#include "core/engine/job.h"

namespace vcap {
namespace {

double milliseconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

}   // namespace

Timings Job::timings(Clock::time_point now) const {
    Timings times;
    if (sequence->is_first_turn()) {
        times.preprocess = milliseconds(preparing, prepared);
        times.queued = milliseconds(submitted, started) - times.preprocess;
        times.vision = milliseconds(started, encoded_at);
    }
    times.prefill = milliseconds(asked_at, prefilled_at);
    times.decode = milliseconds(prefilled_at, now);
    return times;
}

void Job::fail(const Error & error) {
    if (on_captions) {
        on_captions(error);
    } else {
        on_embedding(error);
    }
}

}   // namespace vcap
