#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/engine/request.h"
#include "core/engine/sequence.h"
#include "core/vision/features.h"

namespace vcap {

using Clock = std::chrono::steady_clock;

/** A request in the engine: images to be embedded and, for captions, the sequence behind them. */
struct Job {
    uint64_t id = 0;
    // What was asked for; the pictures are emptied when the job is prepared. No questions: the features themselves are
    // wanted.
    ImageRequest images;
    std::vector<Question> questions;

    // What preparing makes of it.
    std::unique_ptr<VisionFeatures> features;
    std::optional<Sequence> sequence;   // of captions
    Captions captions;                  // one for each question; those that are answered, and those that cannot be

    size_t encoded = 0;   // tiles that the tower has taken
    int slot = -1;        // the KV stream, while it runs

    std::function<void(Outcome<Captions>)> on_captions;
    std::function<void(Outcome<Embedding>)> on_embedding;
    std::function<void()> on_cut;   // may be empty
    std::atomic<bool> cancelled{false};

    Clock::time_point submitted = Clock::now();
    Clock::time_point preparing{};      // when preparing began
    Clock::time_point prepared{};       // when it ended
    Clock::time_point started{};        // when the tower took the first tile
    Clock::time_point encoded_at{};     // when the features were there
    Clock::time_point asked_at{};       // when the question that is being answered had its turn
    Clock::time_point prefilled_at{};   // when its first logits were there

    bool fully_encoded() const { return encoded == features->tile_count(); }
    /** Of the question that has been answered now. */
    Timings timings(Clock::time_point now) const;
    /** Answers the request with an error. */
    void fail(const Error & error);
};

using JobPtr = std::shared_ptr<Job>;

}   // namespace vcap
