#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

namespace vcap::kernels {

/** Working memory that is kept from one operation to the next, so that most operations allocate none. */
class ScratchBuffer {
public:
    /**
     * Memory for `count` floats, aligned to 64 bytes and not initialised. It is the buffer's own and valid until the
     * next reserve(), which may give the same memory again. Throws std::bad_alloc.
     */
    float * reserve(size_t count) {
        if (count > capacity_) {
            data_.reset(static_cast<float *>(::operator new(count * sizeof(float), std::align_val_t(64))));
            capacity_ = count;
        }
        return data_.get();
    }

private:
    struct Free {
        void operator()(float * data) const { ::operator delete(data, std::align_val_t(64)); }
    };
    std::unique_ptr<float, Free> data_;
    size_t capacity_ = 0;   // floats
};

/**
 * The threads that one backend computes on, with working memory for each. They are OpenMP's, the same that ggml's CPU
 * backend computes on. The two backends compute one after the other, and a second set of threads would compete for the
 * processors with the first while that waits for work. A team is owned by its backend and called from one thread at a
 * time.
 */
class Team {
public:
    /** `count` >= 1. */
    void set_threads(int count) { buffers_.resize(threads_ = count); }
    int threads() const { return threads_; }

    /** Working memory that all threads may read and write. Reserve it outside parallel_for(). */
    ScratchBuffer & shared_buffer() { return shared_buffer_; }

    /**
     * Calls work(item, buffer) once for each item from 0 to `items` - 1, in any order, on all threads, and returns when
     * all are done. `buffer` is the calling thread's own. Throws what `work` throws, the first of it; a thread that
     * failed takes no further item.
     */
    template <typename Work>
    void parallel_for(int items, const Work & work) {
        std::atomic<int> next{0};
        std::exception_ptr failure;
        std::mutex failing;
        // No exception may leave an OpenMP region: it would end the process.
        const auto run = [&](ScratchBuffer & buffer) noexcept {
            try {
                for (int item = next++; item < items; item = next++) {
                    work(item, buffer);
                }
            } catch (...) {
                const std::lock_guard<std::mutex> lock(failing);
                failure = failure ? failure : std::current_exception();
            }
        };
        // The team has always the same size: OpenMP ends the threads that a smaller one leaves out and starts others
        // for the next, which costs more than their waiting, and ends the process where the system then allows none.
#pragma omp parallel for schedule(static, 1) num_threads(threads_) if (items > 1)
        for (int thread = 0; thread < threads_; thread++) {
            run(buffers_[thread]);
        }
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

private:
    int threads_ = 1;
    std::vector<ScratchBuffer> buffers_ = std::vector<ScratchBuffer>(1);   // one for each thread
    ScratchBuffer shared_buffer_;
};

}   // namespace vcap::kernels
