#include "core/engine/runner.h"

#include <algorithm>

namespace vcap {
namespace {

// Requests in a row whose features or logits are no numbers, after which the engine counts as lost: a file or a device
// that makes one such request out of thousands costs that request, one that makes nothing else would cost them all.
constexpr int MAX_NOT_FINITE = 3;

double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

}   // namespace

Runner::Runner(JobQueue & queue, VisionModel & vision, LanguageModel & language_model)
    : queue_(queue), vision_(vision), language_model_(language_model),
      batch_(language_model.batch_capacity(), language_model.width()), scheduler_(language_model.sequences()) {}

void Runner::run() {
    while (queue_.take(waiting_, has_jobs())) {
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
        count(seconds(began, Clock::now()), share);
    }
    fail_all(Error("aborted", "The work was cancelled"));
    queue_.end();
}

/** Whether there is work without anything new from the queue. */
bool Runner::has_jobs() const { return !waiting_.empty() || !ready_.empty() || scheduler_.running() > 0; }

/** The share of the slots for which there are captions, running or waiting for one. */
double Runner::filled_share() const {
    const double captions = scheduler_.running() + static_cast<double>(ready_.size() + waiting_.size());
    return std::min(1.0, captions / scheduler_.slots());
}

void Runner::count(double seconds, double share) {
    const std::lock_guard<std::mutex> lock(time_mutex_);
    time_.busy += seconds;
    time_.filled += seconds * share;
}

EngineTime Runner::time() {
    const std::lock_guard<std::mutex> lock(time_mutex_);
    return time_;
}

void Runner::drop_cancelled() {
    if (!queue_.take_cancelled()) {
        return;
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

/** Encodes one batch of tiles, of as many waiting jobs as fill it, whenever a slot would otherwise stay empty. */
void Runner::encode() {
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
        while (job->encoded < pixels.size() && static_cast<int>(inputs.size()) < vision_.max_tiles()) {
            inputs.push_back({pixels[job->encoded], job->features->tile(job->encoded), job->features->pooling()});
            job->encoded++;
        }
        if (!job->fully_encoded()) {
            break;
        }
    }
    vision_.encode(inputs);
    while (!waiting_.empty() && waiting_.front()->fully_encoded()) {
        const JobPtr job = waiting_.front();
        waiting_.pop_front();
        take_features(job);
    }
}

/** Takes a job whose features are there: to wait for a slot, or answered where the features are what is wanted. */
void Runner::take_features(const JobPtr & job) {
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

void Runner::answer_embedding(const JobPtr & job) {
    finish(job);
    not_finite_ = 0;
    Embedding embedding;
    embedding.width = vision_.processor().facts().feature_width;
    embedding.counts = job->features->counts();
    embedding.data.resize(static_cast<size_t>(job->features->tokens()) * embedding.width);
    for (int token = 0; token < job->features->tokens(); token++) {
        float * row = embedding.data.data() + static_cast<size_t>(token) * embedding.width;
        job->features->copy_row(token, vision_.newline(), row);
    }
    job->on_embedding(std::move(embedding));
}

/** One llama_decode for everything that runs: schedules the rows, runs them, takes each caption's next token. */
void Runner::decode() {
    clear_poisoned();
    admit_ready();
    const std::vector<Scheduler::Slice> slices = scheduler_.plan(batch_.capacity());
    if (slices.empty()) {
        return;
    }
    batch_.clear();
    std::vector<int> output_rows;
    for (const Scheduler::Slice & slice : slices) {
        Job & job = *slice.job;
        output_rows.push_back(job.sequence->add_rows(batch_, job.slot, slice.rows, *job.features, vision_.newline(),
                                                     language_model_.embeddings()));
    }
    language_model_.decode(batch_);

    const Clock::time_point now = Clock::now();
    for (size_t i = 0; i < slices.size(); i++) {
        if (output_rows[i] >= 0) {
            take_output(slices[i].job, output_rows[i], now);
        }
    }
}

/** Gives free slots to the jobs that wait for one. */
void Runner::admit_ready() {
    while (!ready_.empty() && scheduler_.free_slots() > 0 && !poisoned_) {
        const JobPtr job = ready_.front();
        ready_.pop_front();
        scheduler_.admit(job);
        language_model_.want_logits(job->slot, job->sequence->turn().needs_logits());
    }
}

/** Takes the output of a job's last row, row `row` of the batch: the next token of its answer. */
void Runner::take_output(const JobPtr & job, int row, Clock::time_point now) {
    if (job->prefilled_at == Clock::time_point{}) {
        job->prefilled_at = now;
    }
    const RowOutput output = language_model_.output(row, job->slot);
    if (!output.finite) {
        poisoned_ = true;
        fail_not_finite(job, "logits");
    } else if (job->sequence->turn().advance(output, language_model_)) {
        take_answer(job, now);
    }
}

/** Takes a finished answer; goes on to the next question behind the same images, or answers the request. */
void Runner::take_answer(const JobPtr & job, Clock::time_point now) {
    Sequence & sequence = *job->sequence;
    not_finite_ = 0;
    Caption caption = sequence.caption(language_model_.tokenizer());
    caption.tiles = job->features->tiles_laid_out();
    caption.frame_pool = job->features->pooling().stride;
    caption.timings = job->timings(now);
    job->captions[sequence.turn().number()] = std::move(caption);
    if (sequence.is_last_turn()) {
        finish(job);
        job->on_captions(std::move(job->captions));
        return;
    }
    const int prefix = sequence.prefix_length();
    sequence.next_turn(language_model_.forget(job->slot, prefix) ? prefix : 0);
    language_model_.want_logits(job->slot, sequence.turn().needs_logits());
    job->asked_at = now;
    job->prefilled_at = {};
}

/** Empties all KV streams where one is poisoned, as soon as no caption uses them. */
void Runner::clear_poisoned() {
    if (!poisoned_ || scheduler_.running() > 0) {
        return;
    }
    language_model_.clear();
    scheduler_.forget_all();
    poisoned_ = false;
}

/** Gives the job's slot back, if it has one, and forgets the job. */
void Runner::finish(const JobPtr & job) {
    if (job->slot >= 0) {
        const int slot = job->slot;
        if (!language_model_.forget(slot, scheduler_.retire(*job))) {
            scheduler_.forget(slot);
        }
    }
    queue_.forget(*job);
}

/** Answers a request whose features or logits are no numbers, and counts how many there were in a row. */
void Runner::fail_not_finite(const JobPtr & job, const std::string & what) {
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

/** Answers all jobs with an error, also those that wait in the queue to be taken. */
void Runner::fail_all(const Error & error) {
    std::vector<JobPtr> failed = scheduler_.jobs();
    failed.insert(failed.end(), waiting_.begin(), waiting_.end());
    failed.insert(failed.end(), ready_.begin(), ready_.end());
    waiting_.clear();
    ready_.clear();
    const std::deque<JobPtr> handed_over = queue_.take_rest();
    failed.insert(failed.end(), handed_over.begin(), handed_over.end());
    for (const JobPtr & job : failed) {
        finish(job);
        job->fail(error);
    }
}

}   // namespace vcap
