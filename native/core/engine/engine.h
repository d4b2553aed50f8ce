#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/cpu_threads.h"
#include "core/engine/job.h"
#include "core/engine/scheduler.h"
#include "core/language/language_model.h"
#include "core/model_facts.h"
#include "core/vision/llava/tower.h"

namespace vcap {

struct EngineOptions {
    std::string model;
    std::string mmproj;
    std::vector<std::string> devices;   // ggml's names; empty: the CPU
    bool split_tensors = false;
    int sequences = 1;
    int context = 0;                     // positions a sequence; 0: what the model was trained on
    int threads = 0;                     // 0: one a physical core
    ggml_type kv_type = GGML_TYPE_F16;   // of the keys and values kept: F32, F16 or Q8_0
    std::string chat_template;           // empty: by the model's metadata
};

/**
 * A loaded pair of models and the one thread that runs them. Requests come from any thread;
 * their callbacks are called on the engine's.
 */
class Engine {
public:
    /** Loads both models; `progress` gets 0…1 and says whether to go on. Throws as read_model_facts, find_devices,
     * VisionTower and LanguageModel do. */
    Engine(const EngineOptions & options, const std::function<bool(float)> & progress);
    /** Cancels what is left; blocks for no longer than an operation of ggml takes. */
    ~Engine();
    Engine(const Engine &) = delete;
    Engine & operator=(const Engine &) = delete;

    const LanguageModel & language_model() const { return *language_model_; }
    const ModelFacts & facts() const { return facts_; }
    const std::vector<std::string> & devices() const { return device_names_; }

    int count_prompt_tokens(const std::string & prompt) const;
    /** Throws usage, context_overflow or closed at once; everything later reaches the callback, exactly once. */
    uint64_t caption(CaptionRequest request, std::function<void(Outcome<Caption>)> done);
    uint64_t embed(std::vector<ImageTiles> images, std::function<void(Outcome<Embedding>)> done);
    void cancel(uint64_t id);

    /** Takes no more requests, finishes those it has, ends the thread, and then calls `closed`, on that thread or at
     * once. */
    void close(std::function<void()> closed);

private:
    uint64_t submit(const JobPtr & job);
    void run();
    bool take_submissions();
    void drop_cancelled();
    void encode();
    void decode();
    void finish(const JobPtr & job);
    void fail_all(const Error & error);

    ModelFacts facts_;
    std::vector<std::string> device_names_;
    std::unique_ptr<CpuThreads> threads_;
    std::unique_ptr<VisionTower> tower_;
    std::unique_ptr<LanguageModel> language_model_;
    std::unique_ptr<Batch> batch_;
    Scheduler scheduler_;

    // The engine thread's own.
    std::deque<JobPtr> waiting_;   // for the tower
    std::deque<JobPtr> ready_;     // for a slot

    // Shared, under the mutex.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<JobPtr> submitted_;
    std::unordered_map<uint64_t, std::weak_ptr<Job>> jobs_;
    uint64_t next_id_ = 1;
    bool closing_ = false;
    bool aborting_ = false;
    bool some_cancelled_ = false;
    bool ended_ = false;
    std::vector<std::function<void()>> on_closed_;

    std::thread thread_;
};

}   // namespace vcap
