#pragma once

#include "ggml-cpu.h"

namespace vcap {

/**
 * ggml's pool of CPU threads. The vision tower and the language model share one, since both compute on the engine's
 * thread and therefore never at the same time. Where ggml is built with OpenMP, the threads are OpenMP's and the pool
 * only says how many of them compute.
 */
class CpuThreads {
public:
    /**
     * A pool of `count` threads, of GGML_MAX_N_THREADS at most; 0: one for each processor. Which number is best is the
     * caller's to know. Throws engine_lost where the system does not allow as many threads now.
     */
    explicit CpuThreads(int count);
    ~CpuThreads() { ggml_threadpool_free(pool_); }
    CpuThreads(const CpuThreads &) = delete;
    CpuThreads & operator=(const CpuThreads &) = delete;

    /** On the thread that will compute: starts the other threads now, so that none has to be started in mid-run. */
    void start() const;

    int count() const { return count_; }
    /** ggml's handle, owned by this object, which must outlive every backend and context that was given the handle. */
    ggml_threadpool_t pool() const { return pool_; }

private:
    int count_;
    ggml_threadpool_t pool_;
};

}   // namespace vcap
