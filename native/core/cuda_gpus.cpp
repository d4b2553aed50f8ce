#include "core/cuda_gpus.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#ifdef VCAP_CUDA
#include <cuda_runtime_api.h>

#include "cuda/libraries.h"
#endif

namespace vcap {
namespace {

/** Whether one entry of a list of architectures serves this GPU. */
bool entry_runs_on(const std::string & entry, int major, int minor) {
    if (entry.empty() || std::isdigit(static_cast<unsigned char>(entry[0])) == 0) {
        return !entry.empty();
    }
    size_t digits = 0;
    const int architecture = std::stoi(entry, &digits);
    const std::string kind = entry.substr(digits);
    const int gpu = 10 * major + minor;
    // ggml compiles those of generation 12 for one GPU each, also where no letter says so.
    const bool one_alone = (!kind.empty() && kind[0] != '-') || architecture / 10 == 12;
    if (one_alone) {
        return architecture == gpu;
    }
    const bool machine_code = kind != "-virtual" && architecture / 10 == major && architecture <= gpu;
    const bool intermediate_code = kind != "-real" && architecture <= gpu;
    return machine_code || intermediate_code;
}

}   // namespace

bool runs_on_gpu(const std::string & architectures, int major, int minor) {
    std::istringstream entries(architectures);
    for (std::string entry; std::getline(entries, entry, ';');) {
        if (entry_runs_on(entry, major, minor)) {
            return true;
        }
    }
    return false;
}

#ifdef VCAP_CUDA
namespace {

/** A version as CUDA numbers it, 13020, as people write it. */
std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

bool is_cuda(ggml_backend_dev_t device) { return std::string(ggml_backend_dev_name(device)).rfind("CUDA", 0) == 0; }

}   // namespace

std::vector<CudaLibrary> cuda_libraries() {
    std::vector<CudaLibrary> libraries;
    for (const cuda::Library * library : {&cuda::cublas(), &cuda::nccl()}) {
        libraries.push_back({library->name, library->version, library->path, library->problem});
    }
    return libraries;
}

bool is_offered(ggml_backend_dev_t device) { return !is_cuda(device) || cuda::cublas().problem.empty(); }

std::string why_slow_sums(const std::vector<ggml_backend_dev_t> & devices) {
    if (devices.size() < 2 || !std::all_of(devices.begin(), devices.end(), is_cuda) || cuda::nccl().problem.empty()) {
        return "";
    }
    return "The GPUs add up their parts of each tensor without NCCL, which is slower: " + cuda::nccl().problem;
}

std::string why_no_cuda_gpu() {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
        return "no NVIDIA driver found";
    }
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess && count > 0) {
        return cuda::cublas().problem.empty() ? "" : "but " + cuda::cublas().problem;
    }
    if (error == cudaErrorInsufficientDriver) {
        return "but the NVIDIA driver here goes no further than CUDA " + version_text(driver) +
               ", and the build's is " + version_text(CUDART_VERSION) +
               ": update the driver, or build with an older toolkit";
    }
    if (error == cudaSuccess || error == cudaErrorNoDevice) {
        const char * visible = std::getenv("CUDA_VISIBLE_DEVICES");
        return std::string("the NVIDIA driver finds no GPU") +
               (visible != nullptr ? ": CUDA_VISIBLE_DEVICES is '" + std::string(visible) + "'" : "");
    }
    return std::string("but the NVIDIA driver fails: ") + cudaGetErrorString(error);
}

std::string cuda_device_problem(ggml_backend_dev_t device) {
    const std::string name = ggml_backend_dev_name(device);
    int count = 0;
    if (!is_cuda(device) || cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
        return "";
    }
    // GGML_CUDA_DEVICES may make several devices of one GPU, dealt out in turn.
    const int gpu = std::atoi(name.c_str() + 4) % count;
    int major = 0;
    int minor = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, gpu);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, gpu);
    if (runs_on_gpu(VCAP_CUDA_ARCHITECTURES, major, minor)) {
        return "";
    }
    const std::string capability = std::to_string(major) + "." + std::to_string(minor);
    return name + " (" + ggml_backend_dev_description(device) + ") has compute capability " + capability +
           ", for which this addon has no code: it was built for " VCAP_CUDA_ARCHITECTURES
           ". Build it with CMAKE_CUDA_ARCHITECTURES=" +
           std::to_string(10 * major + minor);
}
#else
std::vector<CudaLibrary> cuda_libraries() { return {}; }

bool is_offered(ggml_backend_dev_t) { return true; }

std::string why_slow_sums(const std::vector<ggml_backend_dev_t> &) { return ""; }

std::string why_no_cuda_gpu() { return ""; }

std::string cuda_device_problem(ggml_backend_dev_t) { return ""; }
#endif

}   // namespace vcap
