#include "core/engine/engine.h"

#include <algorithm>
#include <future>

#include "core/devices.h"
#include "core/error.h"
#include "core/grammar/gbnf.h"
#include "core/language/tensor_split.h"
#include "core/threads.h"
#include "core/vision/pixel_pool.h"

namespace vcap {
namespace {

// Threads that cut pictures. One cuts some 25 rows of three 720p frames a second, so a few keep up with any device.
constexpr unsigned MAX_PREPARERS = 4;

// Requests in a row whose features or logits are no numbers, after which the engine counts as lost: a file or a device
// that makes one such request out of thousands costs that request, one that makes nothing else would cost them all.
constexpr int MAX_NOT_FINITE = 3;

double milliseconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

/** Of the question that has been answered now. */
Timings timings(const Job & job, Clock::time_point now) {
    Timings times;
    if (job.sequence->is_first_turn()) {
        times.preprocess = milliseconds(job.preparing, job.prepared);
        times.queued = milliseconds(job.submitted, job.started) - times.preprocess;
        times.vision = milliseconds(job.started, job.encoded_at);
    }
    times.prefill = milliseconds(job.asked_at, job.prefilled_at);
    times.decode = milliseconds(job.prefilled_at, now);
    return times;
}

/** Why a question does not fit beside the images. */
Error overflow(size_t images, int64_t image_tokens, int prompt_tokens, int max_tokens, int context) {
    return {"context_overflow", std::to_string(images) + (images == 1 ? " image needs " : " images need ") +
                                    std::to_string(image_tokens) + " tokens, the prompt " +
                                    std::to_string(prompt_tokens) + " and the answer " + std::to_string(max_tokens) +
                                    ": " + std::to_string(image_tokens + prompt_tokens + max_tokens) + " of " +
                                    std::to_string(context) +
                                    " positions; use less detail, fewer frames, a shorter answer or a longer context"};
}

int64_t tokens_of(const std::vector<ImageLayout> & layouts) {
    int64_t tokens = 0;
    for (const ImageLayout & layout : layouts) {
        tokens += layout.tokens;
    }
    return tokens;
}

/** Where the vision tower runs: on the first GPU of this machine, else on the CPU. Sending tiles to RPC would cost
 * more. */
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

Engine::Engine(const EngineOptions & options, const std::function<bool(float)> & progress)
    : scheduler_(options.sequences) {
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
    batch_ = std::make_unique<Batch>(language_model_->batch_capacity(), language_model_->width());
    preparer_ = std::make_unique<Preparer>([this](const JobPtr & job) { prepare(job); });
    const auto started = std::make_shared<std::promise<void>>();
    thread_ = start_thread("run the model", [this, started] {
        threads_->start();
        started->set_value();
        run();
    });
    // First the threads that must be there, while the system has just allowed as many.
    started->get_future().wait();
    preparer_->grow(static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, MAX_PREPARERS)));
}

Engine::~Engine() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        aborting_ = true;
        changed_.notify_one();
    }
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
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_ || aborting_) {
        throw Error("closed", "This captioner is closed");
    }
    job->id = next_id_++;
    jobs_[job->id] = job;
    preparing_++;
    preparer_->add(job);
    return job->id;
}

/** On a preparing thread: makes a request ready for the engine's thread, or answers why that cannot be. */
void Engine::prepare(const JobPtr & job) {
    std::optional<Error> error;
    job->preparing = Clock::now();
    const bool wanted = [&] {
        const std::lock_guard<std::mutex> lock(mutex_);
        return !aborting_ && !job->cancelled;
    }();
    try {
        if (wanted) {
            lay_out(*job);
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
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        preparing_--;
        if (!error && (aborting_ || job->cancelled)) {
            error = Error("aborted", "The work was cancelled");
        }
        if (error) {
            jobs_.erase(job->id);
        } else {
            submitted_.push_back(job);
        }
        changed_.notify_one();
    }
    if (error) {
        job->fail(*error);
    }
}

/**
 * Tokenises the questions, reads their grammars, chooses the detail that fits the context and cuts the tiles. The
 * detail is the most that leaves room for every question that has room beside the least detail. Throws context_overflow
 * where none has, and usage for a grammar that is none.
 */
void Engine::lay_out(Job & job) const {
    const ImageProcessor & processor = vision_->processor();
    std::vector<Picture> pictures = std::move(job.images.pictures);
    std::vector<Size> sizes;
    for (const Picture & picture : pictures) {
        sizes.push_back(picture.size);
    }
    const Pooling & pooling = job.images.pooling;
    const int64_t least = job.questions.empty() ? 0 : tokens_of(processor.fit(sizes, job.images.detail, pooling, 0));
    int64_t room = INT64_MAX;   // features alone need no place in a context
    std::vector<PromptTokens> prompts;
    std::vector<std::optional<Constraint>> constraints(job.questions.size());
    const auto room_beside = [&](size_t number) {
        return int64_t{language_model_->context()} - prompts[number].count() - job.questions[number].max_tokens;
    };
    for (const Question & question : job.questions) {
        prompts.push_back(language_model_->tokenizer().prompt(question.prompt));
        if (!question.grammar.empty()) {
            constraints[prompts.size() - 1].emplace(parse_gbnf(question.grammar), language_model_->token_texts());
        }
        const int64_t beside = room_beside(prompts.size() - 1);
        room = beside < least ? room : std::min(room, beside);
    }
    const std::vector<ImageLayout> layouts = processor.fit(sizes, job.images.detail, pooling, room);
    const int64_t tokens = tokens_of(layouts);
    job.captions.resize(job.questions.size());
    std::vector<Turn> turns;
    for (size_t number = 0; number < job.questions.size(); number++) {
        const Question & question = job.questions[number];
        if (room_beside(number) >= tokens) {
            turns.emplace_back(question, number, std::move(prompts[number].after), std::move(constraints[number]));
        } else {
            job.captions[number] =
                overflow(sizes.size(), least, prompts[number].count(), question.max_tokens, language_model_->context());
        }
    }
    if (turns.empty() && !job.questions.empty()) {
        throw std::get<Error>(job.captions.front());
    }
    std::vector<CutImage> images;
    for (size_t i = 0; i < pictures.size(); i++) {
        images.push_back({layouts[i], processor.cut(pictures[i], layouts[i])});
        // A picture is much larger than its tiles.
        PixelPool::shared().give_back(std::move(pictures[i].pixels));
    }
    const Pooling & chosen = layouts.empty() ? pooling : layouts.front().pooling;
    job.features = std::make_unique<VisionFeatures>(processor, chosen, std::move(images));
    if (!turns.empty()) {
        job.sequence.emplace(std::move(prompts.front().before), job.features->tokens(), std::move(turns));
    }
}

void Engine::cancel(uint64_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = jobs_.find(id);
    const JobPtr job = found == jobs_.end() ? nullptr : found->second.lock();
    if (job != nullptr) {
        job->cancelled = true;
        some_cancelled_ = true;
        changed_.notify_one();
    }
}

void Engine::close(std::function<void()> closed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) {
        closed();
        return;
    }
    closing_ = true;
    on_closed_.push_back(std::move(closed));
    changed_.notify_one();
}

void Engine::run() {
    while (take_submissions()) {
        const Clock::time_point began = Clock::now();
        drop_cancelled();
        const double share = filled_share();
        try {
            encode();
            decode();
        } catch (const Error & error) {
            fail_all(error);
        } catch (const std::exception & error) {
            fail_all(Error("engine_error", std::string("The engine failed: ") + error.what()));
        }
        count(milliseconds(began, Clock::now()) / 1000, share);
    }
    fail_all(Error("aborted", "The work was cancelled"));
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    for (const std::function<void()> & closed : on_closed_) {
        closed();
    }
}

/** The share of the slots for which there are captions, running or waiting for one. */
double Engine::filled_share() const {
    const double captions = scheduler_.running() + static_cast<double>(ready_.size() + waiting_.size());
    return std::min(1.0, captions / scheduler_.slots());
}

void Engine::count(double seconds, double share) {
    const std::lock_guard<std::mutex> lock(mutex_);
    time_.busy += seconds;
    time_.filled += seconds * share;
}

EngineTime Engine::time() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return time_;
}

/** Waits until there is work for the engine's thread. False when the thread is to end. */
bool Engine::take_submissions() {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto has_work = [this] {
        return !submitted_.empty() || !waiting_.empty() || !ready_.empty() || scheduler_.running() > 0;
    };
    changed_.wait(lock, [&] { return has_work() || aborting_ || (closing_ && preparing_ == 0); });
    waiting_.insert(waiting_.end(), submitted_.begin(), submitted_.end());
    submitted_.clear();
    return !aborting_ && has_work();
}

void Engine::drop_cancelled() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!some_cancelled_) {
            return;
        }
        some_cancelled_ = false;
    }
    const auto drop = [this](const JobPtr & job) {
        if (!job->cancelled) {
            return false;
        }
        finish(job);
        job->fail(Error("aborted", "The work was cancelled"));
        return true;
    };
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), drop), waiting_.end());
    ready_.erase(std::remove_if(ready_.begin(), ready_.end(), drop), ready_.end());
    for (const JobPtr & job : scheduler_.jobs()) {
        drop(job);
    }
}

/** Gives the job's slot back, if it has one, and forgets the job. */
void Engine::finish(const JobPtr & job) {
    if (job->slot >= 0) {
        const int slot = job->slot;
        if (!language_model_->forget(slot, scheduler_.retire(*job))) {
            scheduler_.forget(slot);
        }
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(job->id);
}

/** Encodes one batch of tiles, of as many waiting jobs as fill it, whenever a slot would otherwise stay empty. */
void Engine::encode() {
    const bool enough_ready = static_cast<int>(ready_.size()) >= std::max(1, scheduler_.free_slots());
    if (waiting_.empty() || (enough_ready && waiting_.front()->sequence)) {
        return;
    }
    std::vector<TowerInput> inputs;
    for (const JobPtr & job : waiting_) {
        if (job->encoded == 0) {
            job->started = Clock::now();
        }
        const std::vector<const uint8_t *> & pixels = job->features->tiles();
        while (job->encoded < pixels.size() && static_cast<int>(inputs.size()) < vision_->max_tiles()) {
            inputs.push_back({pixels[job->encoded], job->features->tile(job->encoded), job->features->pooling()});
            job->encoded++;
        }
        if (!job->fully_encoded()) {
            break;
        }
    }
    vision_->encode(inputs);
    while (!waiting_.empty() && waiting_.front()->fully_encoded()) {
        const JobPtr job = waiting_.front();
        waiting_.pop_front();
        job->encoded_at = job->asked_at = Clock::now();
        if (!job->features->finite()) {
            fail_not_finite(job, "image features");
        } else if (job->sequence) {
            job->features->drop_pixels();
            ready_.push_back(job);
        } else {
            answer_embedding(job);
        }
    }
}

/** Answers a request whose features or logits are no numbers, and counts how many there were in a row. */
void Engine::fail_not_finite(const JobPtr & job, const std::string & what) {
    finish(job);
    not_finite_++;
    const bool lost = not_finite_ >= MAX_NOT_FINITE;
    const std::string seen =
        lost ? "The " + what + " of " + std::to_string(not_finite_) + " requests in a row are not finite numbers"
             : "The " + what + " of this request are not finite numbers";
    job->fail(Error(lost ? "engine_lost" : "engine_error",
                    seen + ": a file of the model is damaged, or the device computes wrongly; compare the files' "
                           "checksums and try another device"));
}

/** Empties all KV streams where one is poisoned, as soon as no caption uses them. */
void Engine::clear_poisoned() {
    if (!poisoned_ || scheduler_.running() > 0) {
        return;
    }
    language_model_->clear();
    scheduler_.forget_all();
    poisoned_ = false;
}

void Engine::answer_embedding(const JobPtr & job) {
    finish(job);
    not_finite_ = 0;
    Embedding embedding;
    embedding.width = facts_.vision.feature_width;
    embedding.counts = job->features->counts();
    embedding.data.resize(static_cast<size_t>(job->features->tokens()) * embedding.width);
    for (int token = 0; token < job->features->tokens(); token++) {
        float * row = embedding.data.data() + static_cast<size_t>(token) * embedding.width;
        job->features->copy_row(token, vision_->newline(), row);
    }
    job->on_embedding(std::move(embedding));
}

/** One llama_decode for everything that runs: schedules the rows, runs them, takes each caption's next token. */
void Engine::decode() {
    clear_poisoned();
    while (!ready_.empty() && scheduler_.free_slots() > 0 && !poisoned_) {
        const JobPtr job = ready_.front();
        ready_.pop_front();
        scheduler_.admit(job);
        language_model_->want_logits(job->slot, job->sequence->turn().needs_logits());
    }
    const std::vector<Scheduler::Slice> slices = scheduler_.plan(batch_->capacity());
    if (slices.empty()) {
        return;
    }
    batch_->clear();
    std::vector<int> output_rows;
    for (const Scheduler::Slice & slice : slices) {
        Job & job = *slice.job;
        output_rows.push_back(job.sequence->add_rows(*batch_, job.slot, slice.rows, *job.features, vision_->newline(),
                                                     language_model_->embeddings()));
    }
    language_model_->decode(*batch_);

    const Clock::time_point now = Clock::now();
    for (size_t i = 0; i < slices.size(); i++) {
        Job & job = *slices[i].job;
        if (output_rows[i] < 0) {
            continue;
        }
        if (job.prefilled_at == Clock::time_point{}) {
            job.prefilled_at = now;
        }
        const RowOutput output = language_model_->output(output_rows[i], job.slot);
        if (!output.finite) {
            poisoned_ = true;
            fail_not_finite(slices[i].job, "logits");
            continue;
        }
        if (job.sequence->turn().advance(output, *language_model_)) {
            take_answer(slices[i].job, now);
        }
    }
}

/** Takes a finished answer; goes on to the next question behind the same images, or answers the request. */
void Engine::take_answer(const JobPtr & job, Clock::time_point now) {
    Sequence & sequence = *job->sequence;
    not_finite_ = 0;
    Caption caption = sequence.caption(language_model_->tokenizer());
    caption.tiles = job->features->tiles_laid_out();
    caption.frame_pool = job->features->pooling().stride;
    caption.timings = timings(*job, now);
    job->captions[sequence.turn().number()] = std::move(caption);
    if (sequence.is_last_turn()) {
        finish(job);
        job->on_captions(std::move(job->captions));
        return;
    }
    const int prefix = sequence.prefix_length();
    sequence.next_turn(language_model_->forget(job->slot, prefix) ? prefix : 0);
    language_model_->want_logits(job->slot, sequence.turn().needs_logits());
    job->asked_at = now;
    job->prefilled_at = {};
}

void Engine::fail_all(const Error & error) {
    std::vector<JobPtr> failed = scheduler_.jobs();
    failed.insert(failed.end(), waiting_.begin(), waiting_.end());
    failed.insert(failed.end(), ready_.begin(), ready_.end());
    waiting_.clear();
    ready_.clear();
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        failed.insert(failed.end(), submitted_.begin(), submitted_.end());
        submitted_.clear();
    }
    for (const JobPtr & job : failed) {
        finish(job);
        job->fail(error);
    }
}

void Job::fail(const Error & error) {
    if (on_captions) {
        on_captions(error);
    } else {
        on_embedding(error);
    }
}

}   // namespace vcap
