#pragma once

#include "ggml-cpu.h"

namespace vcap {

/** One pool of CPU threads for the tower and the language model, which never run at once. */
class CpuThreads {
public:
    /** `count` 0: one for each physical core that this process may use. */
    explicit CpuThreads(int count);
    ~CpuThreads() { ggml_threadpool_free(pool_); }
    CpuThreads(const CpuThreads &) = delete;
    CpuThreads & operator=(const CpuThreads &) = delete;

    int count() const { return count_; }
    ggml_threadpool_t pool() const { return pool_; }

private:
    int count_;
    ggml_threadpool_t pool_;
};

}   // namespace vcap
