// The functions of NVIDIA's driver library that ggml's CUDA backend calls, each passed on to libcuda.so.1, which is
// looked for at the first call. An addon that was linked with the driver itself could not be loaded on a machine
// without one, where the CPU is to serve.
#include <cuda.h>
#include <dlfcn.h>

#include "cuda/forward.h"

namespace {

// What ggml is answered where the driver, or a function of it, is missing. It asks the runtime first how many devices
// there are, and calls nothing of this without one.
constexpr CUresult NO_DRIVER = CUDA_ERROR_NOT_INITIALIZED;

void * driver_function(const char * name) {
    static void * const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, name) : nullptr;
}

}   // namespace

#define VCAP_DRIVER_FUNCTION(...) VCAP_FORWARD(driver_function, NO_DRIVER, CUresult, __VA_ARGS__)

extern "C" {

VCAP_DRIVER_FUNCTION(cuDeviceGet, (CUdevice * device, int ordinal), device, ordinal)
VCAP_DRIVER_FUNCTION(cuDeviceGetAttribute, (int * value, CUdevice_attribute attribute, CUdevice device), value,
                     attribute, device)
VCAP_DRIVER_FUNCTION(cuMemAddressReserve,
                     (CUdeviceptr * address, size_t size, size_t alignment, CUdeviceptr wanted,
                      unsigned long long flags),
                     address, size, alignment, wanted, flags)
VCAP_DRIVER_FUNCTION(cuMemAddressFree, (CUdeviceptr address, size_t size), address, size)
VCAP_DRIVER_FUNCTION(cuMemCreate,
                     (CUmemGenericAllocationHandle * handle, size_t size, const CUmemAllocationProp * properties,
                      unsigned long long flags),
                     handle, size, properties, flags)
VCAP_DRIVER_FUNCTION(cuMemRelease, (CUmemGenericAllocationHandle handle), handle)
VCAP_DRIVER_FUNCTION(cuMemMap,
                     (CUdeviceptr address, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
                      unsigned long long flags),
                     address, size, offset, handle, flags)
VCAP_DRIVER_FUNCTION(cuMemUnmap, (CUdeviceptr address, size_t size), address, size)
VCAP_DRIVER_FUNCTION(cuMemSetAccess,
                     (CUdeviceptr address, size_t size, const CUmemAccessDesc * descriptors, size_t count), address,
                     size, descriptors, count)
VCAP_DRIVER_FUNCTION(cuMemGetAllocationGranularity,
                     (size_t * granularity, const CUmemAllocationProp * properties,
                      CUmemAllocationGranularity_flags option),
                     granularity, properties, option)

// ggml prints the text without looking at the result.
CUresult CUDAAPI cuGetErrorString(CUresult error, const char ** text) {
    static const auto function = reinterpret_cast<decltype(&cuGetErrorString)>(driver_function("cuGetErrorString"));
    *text = "no NVIDIA driver (libcuda.so.1)";
    return function ? function(error, text) : NO_DRIVER;
}

}   // extern "C"
