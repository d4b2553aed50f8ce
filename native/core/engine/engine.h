#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/cpu_threads.h"
#include "core/engine/job.h"
#include "core/engine/job_queue.h"
#include "core/engine/preparer.h"
#include "core/engine/request.h"
#include "core/engine/runner.h"
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
    EngineTime time() { return runner_->time(); }

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
    void cancel(uint64_t id) { queue_.cancel(id); }

    /**
     * Takes no more requests, finishes those it has, ends its thread, then calls `closed`, on that thread or at once.
     */
    void close(std::function<void()> closed) { queue_.close(std::move(closed)); }

private:
    uint64_t submit(const JobPtr & job, ImageRequest images);
    void prepare(const JobPtr & job);

    ModelFacts facts_;
    std::vector<std::string> device_names_;
    std::unique_ptr<CpuThreads> threads_;
    std::unique_ptr<VisionModel> vision_;
    std::unique_ptr<LanguageModel> language_model_;
    JobQueue queue_;
    std::unique_ptr<Runner> runner_;
    std::thread thread_;   // the engine's thread, on which the runner runs
    std::unique_ptr<Preparer> preparer_;
};

}   // namespace vcap
