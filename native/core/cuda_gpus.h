#pragma once

#include <string>

#include "ggml-backend.h"

namespace vcap {

/**
 * Why CUDA offers no GPU in this process, as words that go on from "built with CUDA, "; empty where it offers one, or
 * where this build has no CUDA.
 */
std::string why_no_cuda_gpu();

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
