#pragma once

#include <string>
#include <vector>

#include "ggml-backend.h"

namespace vcap {

/**
 * Why CUDA offers no GPU in this process, as words that go on from "built with CUDA, "; empty where it offers one, or
 * where this build has no CUDA.
 */
std::string why_no_cuda_gpu();

/** One of CUDA's libraries that this package does not bring and looks for when it runs. */
struct CudaLibrary {
    std::string name;      // with the major version that this build needs: cuBLAS 13
    std::string version;   // of the one found
    std::string path;      // of the one found; empty where there is none
    std::string problem;   // why there is none, words without a full stop; empty where there is one
};

/** cuBLAS, without which no GPU computes, and NCCL, without which several do so slower. Opens them. */
std::vector<CudaLibrary> cuda_libraries();

/** Whether a device of ggml's is to be seen: those of the CUDA backend are not where cuBLAS is missing. */
bool is_offered(ggml_backend_dev_t device);

/** Why GPUs add up their parts of a tensor slower than they could, a sentence; empty where they do not. */
std::string why_slow_sums(const std::vector<ggml_backend_dev_t> & devices);

/**
 * Why a device of ggml's CUDA backend cannot compute here, a sentence; empty where it can, and for other devices. ggml
 * itself ends the process at the first operation that this build has no code for.
 */
std::string cuda_device_problem(ggml_backend_dev_t device);

/**
 * Whether code that was compiled for `architectures`, in CMake's words (`80;86-real;90a-real`), runs on a GPU of
 * compute capability `major`.`minor`. Machine code runs on its own generation's later minors; intermediate code, which
 * a plain number has as well, on everything later; what ends with a letter on its own GPU alone. Words such as `native`
 * or `all` count for every GPU.
 */
bool runs_on_gpu(const std::string & architectures, int major, int minor);

}   // namespace vcap
