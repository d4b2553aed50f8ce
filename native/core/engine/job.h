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

/** A request in the engine: images to be embedded and, for a caption, the sequence behind them. */
struct Job {
    uint64_t id = 0;
    std::unique_ptr<VisionFeatures> features;
    size_t encoded = 0;                 // tiles that the tower is done with
    std::optional<Sequence> sequence;   // none: the features themselves are wanted
    int slot = -1;                      // KV sequence while it runs

    std::function<void(Outcome<Caption>)> on_caption;
    std::function<void(Outcome<Embedding>)> on_embedding;
    std::atomic<bool> cancelled{false};

    Clock::time_point submitted = Clock::now();
    Clock::time_point started{};   // first tile
    Clock::time_point encoded_at{};
    Clock::time_point prefilled_at{};

    bool fully_encoded() const { return encoded == features->tile_count(); }
    void fail(const Error & error);
};

using JobPtr = std::shared_ptr<Job>;

}   // namespace vcap
