#include "core/cpu_threads.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "core/error.h"

namespace vcap {
namespace {

/**
 * Physical cores among the processors that this process may run on. A core's second hyperthread is not counted, since
 * it slows ggml's kernels down. Elsewhere than on Linux: all logical processors.
 */
int physical_cores() {
    const int logical = std::max(1u, std::thread::hardware_concurrency());
#ifdef __linux__
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return logical;
    }
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) {
            continue;
        }
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
        std::string siblings;
        // Hyperthreads of one core have the same list. A container may hide it: the processor then counts for itself.
        cores.insert(std::getline(file, siblings) ? siblings : "cpu" + std::to_string(cpu));
    }
    return cores.empty() ? logical : static_cast<int>(cores.size());
#else
    return logical;
#endif
}

}   // namespace

CpuThreads::CpuThreads(int count) : count_(std::min(count > 0 ? count : physical_cores(), GGML_MAX_N_THREADS)) {
    ggml_threadpool_params params = ggml_threadpool_params_default(count_);
    pool_ = ggml_threadpool_new(&params);
    if (pool_ == nullptr) {
        throw Error("engine_error", "The CPU threads could not be started");
    }
}

}   // namespace vcap
