#pragma once

#include <atomic>
#include <memory>
#include <new>
#include <vector>

namespace vcap::kernels {

/** Memory that grows and is never read before it is written. */
class Scratch {
public:
    float * floats(size_t count) {
        if (count > size_) {
            data_.reset(static_cast<float *>(::operator new(count * sizeof(float), std::align_val_t(64))));
            size_ = count;
        }
        return data_.get();
    }

private:
    struct Free {
        void operator()(float * data) const { ::operator delete(data, std::align_val_t(64)); }
    };
    std::unique_ptr<float, Free> data_;
    size_t size_ = 0;
};

/**
 * The threads of one backend: OpenMP's, the same that ggml's CPU backend computes on, so that the two take turns on
 * them. Called from one thread at a time.
 */
class Team {
public:
    void set_threads(int count) { scratch_.resize(threads_ = count); }
    int threads() const { return threads_; }
    /** Memory that all threads share. */
    Scratch & shared() { return shared_; }

    /** work(item, scratch) for each of `items`, in any order; `scratch` is the thread's own. */
    template <typename Work>
    void each(int items, const Work & work) {
        std::atomic<int> next{0};
        const auto run = [&](Scratch & scratch) {
            for (int item = next++; item < items; item = next++) {
                work(item, scratch);
            }
        };
        const int count = threads_ < items ? threads_ : items;
#pragma omp parallel for schedule(static, 1) num_threads(count) if (count > 1)
        for (int thread = 0; thread < count; thread++) {
            run(scratch_[thread]);
        }
    }

private:
    int threads_ = 1;
    std::vector<Scratch> scratch_ = std::vector<Scratch>(1);
    Scratch shared_;
};

}   // namespace vcap::kernels
