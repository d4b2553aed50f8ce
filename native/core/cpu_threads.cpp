#include "core/cpu_threads.h"

#include <algorithm>
#include <thread>

#include "core/error.h"

namespace vcap {
namespace {

int all_processors() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

}   // namespace

CpuThreads::CpuThreads(int count) : count_(std::min(count > 0 ? count : all_processors(), GGML_MAX_N_THREADS)) {
    ggml_threadpool_params params = ggml_threadpool_params_default(count_);
    pool_ = ggml_threadpool_new(&params);
    if (pool_ == nullptr) {
        throw Error("engine_error", "The CPU threads could not be started");
    }
}

}   // namespace vcap
