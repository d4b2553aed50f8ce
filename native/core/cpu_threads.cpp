#include "core/cpu_threads.h"

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/threads.h"
#include "kernels/backend.h"

namespace vcap {
namespace {

// Threads that the engine starts beside those that compute: its own and one that prepares pictures.
constexpr int BESIDE = 2;

int all_processors() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

/**
 * Throws engine_lost where the system does not allow `count` more threads, by starting and ending them. OpenMP itself
 * ends the process when it cannot start one.
 */
void require_threads(int count) {
    std::promise<void> all_started;
    const std::shared_future<void> end = all_started.get_future().share();
    std::vector<std::thread> threads;
    std::optional<Error> refused;
    try {
        while (static_cast<int>(threads.size()) < count) {
            threads.push_back(start_thread("compute", [end] { end.wait(); }));
        }
    } catch (const Error & error) {
        refused = error;
    }
    all_started.set_value();
    for (std::thread & thread : threads) {
        thread.join();
    }
    if (refused) {
        throw *refused;
    }
}

}   // namespace

CpuThreads::CpuThreads(int count) : count_(std::min(count > 0 ? count : all_processors(), GGML_MAX_N_THREADS)) {
    require_threads(count_ - 1 + BESIDE);
    ggml_threadpool_params params = ggml_threadpool_params_default(count_);
    pool_ = ggml_threadpool_new(&params);
    if (pool_ == nullptr) {
        throw Error("engine_lost", "The CPU threads could not be started");
    }
}

void CpuThreads::start() const { kernels::start_threads(count_); }

}   // namespace vcap
