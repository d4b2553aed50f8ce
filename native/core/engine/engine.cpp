#include "core/engine/engine.h"

#include <algorithm>
#include <future>
#include <optional>

#include "core/devices.h"
#include "core/engine/layout.h"
#include "core/error.h"
#include "core/language/tensor_split.h"
#include "core/threads.h"

namespace vcap {
namespace {

// Threads that cut pictures. One cuts some 25 rows of three 720p frames a second, so a few keep up with any device.
constexpr unsigned MAX_PREPARERS = 4;

/** The device of the vision tower: this machine's first GPU, else its CPU. Sending tiles to RPC would cost more. */
ggml_backend_dev_t tower_device(const std::vector<ggml_backend_dev_t> & devices) {
    for (ggml_backend_dev_t device : devices) {
        const std::string backend = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU && backend != "RPC") {
            return device;
        }
    }
    return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
}

}   // namespace

Engine::Engine(const EngineOptions & options, const std::function<bool(float)> & progress) {
    const GgufFile mmproj(options.mmproj);
    const std::vector<std::shared_ptr<const GgufFile>> model = open_model_files(options.model);
    facts_ = read_model_facts(model, mmproj, options.chat_template);
    std::vector<ggml_backend_dev_t> devices = find_devices(options.devices);
    // The CPU is no device to offload to: weights on it are simply not offloaded.
    devices.erase(std::remove_if(devices.begin(), devices.end(),
                                 [](ggml_backend_dev_t device) {
                                     return ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
                                 }),
                  devices.end());
    for (ggml_backend_dev_t device : devices) {
        device_names_.emplace_back(ggml_backend_dev_name(device));
    }
    if (device_names_.empty()) {
        device_names_.emplace_back("CPU");
    }
    if (options.split_tensors && devices.size() > 1) {
        require_tensor_split(model, devices, options.shares, options.kv_type);
    }
    threads_ = std::make_unique<CpuThreads>(options.threads);
    vision_ = open_vision_model(mmproj, tower_device(devices), *threads_);
    const LanguageModelOptions model_options{
        devices,         options.split_tensors, options.shares,       options.sequences,
        options.context, options.kv_type,       facts_.chat_template, options.map};
    language_model_ = std::make_unique<LanguageModel>(model, model_options, *threads_, progress);
    runner_ = std::make_unique<Runner>(queue_, *vision_, *language_model_);
    preparer_ = std::make_unique<Preparer>([this](const JobPtr & job) { prepare(job); });
    const auto started = std::make_shared<std::promise<void>>();
    thread_ = start_thread("run the model", [this, started] {
        threads_->start();
        started->set_value();
        runner_->run();
    });
    // First the threads that must be there, while the system has just allowed as many.
    started->get_future().wait();
    preparer_->grow(static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, MAX_PREPARERS)));
}

Engine::~Engine() {
    queue_.abort();
    vision_->abort();
    language_model_->abort();
    preparer_.reset();   // its threads still hand their jobs to the engine's
    thread_.join();
}

int Engine::least_tokens() const {
    const int tile = facts_.vision.tile_size;
    const std::vector<ImageLayout> layouts = vision_->processor().fit({{tile, tile}}, Detail::overview, {}, 0);
    return layouts.front().tokens + language_model_->tokenizer().prompt("").count();
}

uint64_t Engine::caption(CaptionRequest request, std::function<void(Outcome<Captions>)> done,
                         std::function<void()> cut) {
    const bool answerable = std::all_of(request.questions.begin(), request.questions.end(),
                                        [](const Question & question) { return question.max_tokens >= 1; });
    if (request.images.pictures.empty() || request.questions.empty() || !answerable) {
        throw Error("usage", "A caption needs at least one image, one question and one token");
    }
    auto job = std::make_shared<Job>();
    job->on_captions = std::move(done);
    job->on_cut = std::move(cut);
    job->questions = std::move(request.questions);
    return submit(job, std::move(request.images));
}

uint64_t Engine::embed(ImageRequest images, std::function<void(Outcome<Embedding>)> done) {
    auto job = std::make_shared<Job>();
    job->on_embedding = std::move(done);
    return submit(job, std::move(images));
}

uint64_t Engine::submit(const JobPtr & job, ImageRequest images) {
    for (const Picture & picture : images.pictures) {
        const auto [width, height] = picture.size;
        if (width < 1 || height < 1 || picture.pixels.size() != 3ull * width * height) {
            throw Error("usage", "An image of " + std::to_string(width) + " x " + std::to_string(height) +
                                     " pixels cannot have " + std::to_string(picture.pixels.size()) + " bytes of RGB");
        }
    }
    job->images = std::move(images);
    const uint64_t id = queue_.enter(job);
    preparer_->add(job);
    return id;
}

/** On a preparing thread: makes a request ready for the engine's thread, or answers why that cannot be. */
void Engine::prepare(const JobPtr & job) {
    std::optional<Error> error;
    job->preparing = Clock::now();
    try {
        if (queue_.wants(*job)) {
            lay_out(*job, vision_->processor(), *language_model_);
        }
    } catch (const Error & thrown) {
        error = thrown;
    } catch (const std::exception & thrown) {
        error = Error("engine_error", std::string("Preparing the images failed: ") + thrown.what());
    }
    job->prepared = Clock::now();
    job->images.pictures.clear();   // of one that was not wanted
    if (job->on_cut) {
        job->on_cut();
    }
    error = queue_.hand_over(job, std::move(error));
    if (error) {
        job->fail(*error);
    }
}

}   // namespace vcap
