// The functions of cuBLAS that ggml's CUDA backend calls, each passed on to the library that is found at run time. An
// addon that was linked with it could not be loaded on a machine without it, where the CPU is to serve.
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include "cuda/forward.h"
#include "cuda/libraries.h"

namespace {

// What ggml is answered where the library is missing. It is offered no GPU there and calls none of this.
constexpr cublasStatus_t NO_CUBLAS = CUBLAS_STATUS_NOT_INITIALIZED;

std::string inspect(void * handle, std::string & version) {
    const auto property = reinterpret_cast<decltype(&cublasGetProperty)>(dlsym(handle, "cublasGetProperty"));
    int numbers[3] = {};
    const libraryPropertyType types[] = {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL};
    for (int i = 0; i < 3; i++) {
        if (property == nullptr || property(types[i], &numbers[i]) != CUBLAS_STATUS_SUCCESS) {
            return "does not tell its version";
        }
    }
    version = std::to_string(numbers[0]) + "." + std::to_string(numbers[1]) + "." + std::to_string(numbers[2]);
    return numbers[0] == CUBLAS_VER_MAJOR ? "" : "is of version " + version;
}

/** NVIDIA's names for its packages: of the toolkit's version for the system's, of the major one for wheels. */
std::string remedy(const std::string & major) {
    const std::string toolkit =
        std::to_string(CUDART_VERSION / 1000) + "-" + std::to_string(CUDART_VERSION % 1000 / 10);
    const std::string wheel = CUBLAS_VER_MAJOR < 13 ? "nvidia-cublas-cu" + major : "nvidia-cublas==" + major + ".*";
    return "install libcublas-" + toolkit + " from NVIDIA's package repository, or pip install '" + wheel +
           "'; one that is elsewhere is found by LD_LIBRARY_PATH";
}

void * find(const char * name) { return vcap::cuda::cublas().function(name); }

}   // namespace

const vcap::cuda::Library & vcap::cuda::cublas() {
    const std::string major = std::to_string(CUBLAS_VER_MAJOR);
    static const Library library =
        open_library({"cuBLAS " + major, "libcublas.so." + major, {"libcublasLt.so." + major}, remedy(major), inspect});
    return library;
}

#define VCAP_CUBLAS_FUNCTION(...) VCAP_FORWARD(find, NO_CUBLAS, cublasStatus_t, __VA_ARGS__)

extern "C" {

VCAP_CUBLAS_FUNCTION(cublasCreate, (cublasHandle_t * handle), handle)
VCAP_CUBLAS_FUNCTION(cublasDestroy, (cublasHandle_t handle), handle)
VCAP_CUBLAS_FUNCTION(cublasSetStream, (cublasHandle_t handle, cudaStream_t stream), handle, stream)
VCAP_CUBLAS_FUNCTION(cublasSetWorkspace, (cublasHandle_t handle, void * workspace, size_t size), handle, workspace,
                     size)
VCAP_CUBLAS_FUNCTION(cublasSetMathMode, (cublasHandle_t handle, cublasMath_t mode), handle, mode)
VCAP_CUBLAS_FUNCTION(cublasSgemm,
                     (cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b, int m, int n, int k,
                      const float * alpha, const float * a, int lda, const float * b, int ldb, const float * beta,
                      float * c, int ldc),
                     handle, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
VCAP_CUBLAS_FUNCTION(cublasSgemmBatched,
                     (cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b, int m, int n, int k,
                      const float * alpha, const float * const a[], int lda, const float * const b[], int ldb,
                      const float * beta, float * const c[], int ldc, int count),
                     handle, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count)
VCAP_CUBLAS_FUNCTION(cublasSgemmStridedBatched,
                     (cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b, int m, int n, int k,
                      const float * alpha, const float * a, int lda, long long int stride_a, const float * b, int ldb,
                      long long int stride_b, const float * beta, float * c, int ldc, long long int stride_c,
                      int count),
                     handle, trans_a, trans_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc,
                     stride_c, count)
VCAP_CUBLAS_FUNCTION(cublasStrsmBatched,
                     (cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t fill, cublasOperation_t trans,
                      cublasDiagType_t diagonal, int m, int n, const float * alpha, const float * const a[], int lda,
                      float * const b[], int ldb, int count),
                     handle, side, fill, trans, diagonal, m, n, alpha, a, lda, b, ldb, count)
VCAP_CUBLAS_FUNCTION(cublasGemmEx,
                     (cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b, int m, int n, int k,
                      const void * alpha, const void * a, cudaDataType type_a, int lda, const void * b,
                      cudaDataType type_b, int ldb, const void * beta, void * c, cudaDataType type_c, int ldc,
                      cublasComputeType_t compute, cublasGemmAlgo_t algorithm),
                     handle, trans_a, trans_b, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc,
                     compute, algorithm)
VCAP_CUBLAS_FUNCTION(cublasGemmBatchedEx,
                     (cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b, int m, int n, int k,
                      const void * alpha, const void * const a[], cudaDataType type_a, int lda, const void * const b[],
                      cudaDataType type_b, int ldb, const void * beta, void * const c[], cudaDataType type_c, int ldc,
                      int count, cublasComputeType_t compute, cublasGemmAlgo_t algorithm),
                     handle, trans_a, trans_b, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc,
                     count, compute, algorithm)
VCAP_CUBLAS_FUNCTION(cublasGemmStridedBatchedEx,
                     (cublasHandle_t handle, cublasOperation_t trans_a, cublasOperation_t trans_b, int m, int n, int k,
                      const void * alpha, const void * a, cudaDataType type_a, int lda, long long int stride_a,
                      const void * b, cudaDataType type_b, int ldb, long long int stride_b, const void * beta, void * c,
                      cudaDataType type_c, int ldc, long long int stride_c, int count, cublasComputeType_t compute,
                      cublasGemmAlgo_t algorithm),
                     handle, trans_a, trans_b, m, n, k, alpha, a, type_a, lda, stride_a, b, type_b, ldb, stride_b, beta,
                     c, type_c, ldc, stride_c, count, compute, algorithm)
VCAP_FORWARD(find, vcap::cuda::cublas().problem.c_str(), const char *, cublasGetStatusString, (cublasStatus_t status),
             status)

}   // extern "C"
