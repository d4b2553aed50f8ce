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
#include "core/engine/preparer.h"
#include "core/engine/scheduler.h"
#include "core/language/language_model.h"
#include "core/model_facts.h"
#include "core/vision/vision.h"

namespace vcap {

struct EngineOptions {
    std::string model;
    std::string mmproj;
    std::vector<std::string> devices;    // ggml's names; empty: the CPU
    bool split_tensors = false;          // whether each tensor is split across the devices, instead of whole layers
    std::vector<float> shares;           // how much each device gets, in any unit; empty: llama.cpp's choice
    int sequences = 1;                   // captions at once
    int context = 0;                     // positions of each caption; 0: what the model was trained on
    int threads = 0;                     // CPU threads; 0: one for each processor
    ggml_type kv_type = GGML_TYPE_F16;   // of the keys and values kept: F32, F16 or Q8_0
    std::string chat_template;           // a template's name; empty: by the model's metadata
    bool map = true;                     // whether weights stay in their file, mapped, where the device allows it
};

/** Seconds of an engine's thread since it was started, the step that it is in not counted. */
struct EngineTime {
    double busy = 0;     // in which it computed
    double filled = 0;   // the same, each second times the share of its slots for which it had captions
};

/**
 * A loaded pair of models, the threads that prepare requests and the one thread that runs the models. Requests come
 * from any thread; their callbacks are called on a thread of the engine's.
 */
class Engine {
public:
    /**
     * Loads both models; `progress` gets 0 to 1 and says whether to go on. Throws what read_model_facts, find_devices,
     * open_vision_model and LanguageModel throw.
     */
    Engine(const EngineOptions & options, const std::function<bool(float)> & progress);
    /** Cancels what is left; blocks for no longer than one operation of ggml or one request's preparing takes. */
    ~Engine();
    Engine(const Engine &) = delete;
    Engine & operator=(const Engine &) = delete;

    const LanguageModel & language_model() const { return *language_model_; }
    const ModelFacts & facts() const { return facts_; }
    const std::vector<std::string> & devices() const { return device_names_; }
    /** Tokens of the least prompt there is: one picture at the least detail, and no question. */
    int least_tokens() const;
    /** From any thread. */
    EngineTime time();

    /**
     * Takes a request and returns its number, for cancel(). Throws usage and closed at once; everything else, such as
     * context_overflow, reaches the callback, which is called exactly once. A question that does not fit beside the
     * images has an error of its own where another one does. `cut` is called once before, when the pictures are held no
     * more.
     */
    uint64_t caption(CaptionRequest request, std::function<void(Outcome<Captions>)> done,
                     std::function<void()> cut = nullptr);
    uint64_t embed(ImageRequest images, std::function<void(Outcome<Embedding>)> done);
    /** The request's callback gets `aborted` soon. A number that is no longer under way is ignored. */
    void cancel(uint64_t id);

    /** Takes no more requests, finishes those it has, ends its thread, then calls `closed`, on that thread or at once.
     */
    void close(std::function<void()> closed);

private:
    uint64_t submit(const JobPtr & job, ImageRequest images);
    void prepare(const JobPtr & job);
    void lay_out(Job & job) const;
    void run();
    bool take_submissions();
    double filled_share() const;
    void count(double seconds, double share);
    void drop_cancelled();
    void encode();
    void decode();
    void answer_embedding(const JobPtr & job);
    void clear_poisoned();
    void fail_not_finite(const JobPtr & job, const std::string & what);
    void take_answer(const JobPtr & job, Clock::time_point now);
    void finish(const JobPtr & job);
    void fail_all(const Error & error);

    ModelFacts facts_;
    std::vector<std::string> device_names_;
    std::unique_ptr<CpuThreads> threads_;
    std::unique_ptr<VisionModel> vision_;
    std::unique_ptr<LanguageModel> language_model_;
    std::unique_ptr<Batch> batch_;
    Scheduler scheduler_;

    // The engine thread's own.
    std::deque<JobPtr> waiting_;   // prepared, for the tower
    std::deque<JobPtr> ready_;     // encoded, for a slot
    // Whether a KV stream holds what is no number. Attention would spread it to the stream's next caption, also from
    // positions that are masked: 0 times NaN is NaN. No caption gets a slot until all streams are cleared.
    bool poisoned_ = false;
    int not_finite_ = 0;   // requests in a row, with no good one between them

    // Shared, under the mutex.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<JobPtr> submitted_;   // prepared, for the engine's thread to take
    int preparing_ = 0;              // jobs that are with the preparer
    std::unordered_map<uint64_t, std::weak_ptr<Job>> jobs_;
    uint64_t next_id_ = 1;
    bool closing_ = false;
    bool aborting_ = false;
    bool some_cancelled_ = false;
    bool ended_ = false;
    EngineTime time_;
    std::vector<std::function<void()>> on_closed_;

    std::thread thread_;
    std::unique_ptr<Preparer> preparer_;
};

}   // namespace vcap
