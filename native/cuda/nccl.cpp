// The functions of NCCL that ggml's CUDA backend calls, each passed on to the library that is found at run time. Where
// there is none ggml sums over GPUs by itself.
#include "cuda/libraries.h"

#if __has_include(<nccl.h>)
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>

#include "cuda/forward.h"

namespace {

// The answer of ncclCommInitAll, the first that ggml calls, upon which it takes another way and calls none of the rest.
constexpr ncclResult_t NO_NCCL = ncclSystemError;

// ggml sums in bfloat16, which NCCL has from here on.
constexpr int LEAST = NCCL_VERSION(2, 10, 0);

std::string inspect(void * handle, std::string & version) {
    const auto get_version = reinterpret_cast<decltype(&ncclGetVersion)>(dlsym(handle, "ncclGetVersion"));
    int number = 0;
    if (get_version == nullptr || get_version(&number) != ncclSuccess) {
        return "does not tell its version";
    }
    version = std::to_string(number / 10000) + "." + std::to_string(number % 10000 / 100) + "." +
              std::to_string(number % 100);
    return number / 10000 == NCCL_MAJOR && number >= LEAST ? "" : "is of version " + version;
}

void * find(const char * name) { return vcap::cuda::nccl().function(name); }

}   // namespace

const vcap::cuda::Library & vcap::cuda::nccl() {
    const std::string major = std::to_string(NCCL_MAJOR);
    const std::string remedy = "install libnccl" + major + " from NVIDIA's package repository, or pip install " +
                               "nvidia-nccl-cu" + std::to_string(CUDART_VERSION / 1000) +
                               "; one that is elsewhere is found by LD_LIBRARY_PATH";
    static const Library library = open_library({"NCCL " + major, "libnccl.so." + major, {}, remedy, inspect});
    return library;
}

#define VCAP_NCCL_FUNCTION(...) VCAP_FORWARD(find, NO_NCCL, ncclResult_t, __VA_ARGS__)

extern "C" {

VCAP_NCCL_FUNCTION(ncclCommInitAll, (ncclComm_t * communicators, int count, const int * devices), communicators, count,
                   devices)
VCAP_NCCL_FUNCTION(ncclCommDestroy, (ncclComm_t communicator), communicator)
VCAP_NCCL_FUNCTION(ncclGroupStart, (), )
VCAP_NCCL_FUNCTION(ncclGroupEnd, (), )
VCAP_NCCL_FUNCTION(ncclAllReduce,
                   (const void * from, void * to, size_t count, ncclDataType_t type, ncclRedOp_t operation,
                    ncclComm_t communicator, cudaStream_t stream),
                   from, to, count, type, operation, communicator, stream)
VCAP_FORWARD(find, vcap::cuda::nccl().problem.c_str(), const char *, ncclGetErrorString, (ncclResult_t result), result)

}   // extern "C"
#else
const vcap::cuda::Library & vcap::cuda::nccl() {
    static const Library library = {"NCCL", "", "", "this build has no NCCL: build it where the header nccl.h is"};
    return library;
}
#endif
