# What ggml's CUDA backend is compiled and linked with. Everything here is given from outside, by targets, cache
# variables and defaults that ggml's own files ask for; nothing of llama.cpp is patched.

set(VCAP_CUDA_WHEELS "" CACHE PATH "The folder nvidia of a Python's site-packages, where cuBLAS and NCCL came by pip")

# CUDA's runtime is linked in: one library less to be found at run time. cuBLAS and NCCL are too large for that.
if(NOT TARGET CUDA::cudart)
  add_library(CUDA::cudart INTERFACE IMPORTED)
endif()

# The driver belongs to the machine that runs, not to the one that builds, and may be missing on both.
if(NOT TARGET CUDA::cuda_driver)
  add_library(vcap_cuda_driver STATIC native/cuda/driver.cpp)
  add_library(CUDA::cuda_driver ALIAS vcap_cuda_driver)
endif()

# Wheels have no plain lib….so beside the versioned name, and each CUDA release lays its folders out anew.
if(VCAP_CUDA_WHEELS)
  foreach(library cublas cublasLt)
    find_library(CUDA_${library}_LIBRARY NAMES lib${library}.so.13 lib${library}.so.12
      PATHS "${VCAP_CUDA_WHEELS}" PATH_SUFFIXES cu13/lib cublas/lib NO_DEFAULT_PATH)
  endforeach()
  find_path(VCAP_CUBLAS_INCLUDE_DIR cublas_v2.h
    PATHS "${VCAP_CUDA_WHEELS}" PATH_SUFFIXES cu13/include cublas/include NO_DEFAULT_PATH)
  find_library(NCCL_LIBRARY NAMES libnccl.so.2 PATHS "${VCAP_CUDA_WHEELS}" PATH_SUFFIXES nccl/lib NO_DEFAULT_PATH)
  find_path(NCCL_INCLUDE_DIR nccl.h PATHS "${VCAP_CUDA_WHEELS}" PATH_SUFFIXES nccl/include NO_DEFAULT_PATH)
endif()

find_package(CUDAToolkit)
if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
  message(FATAL_ERROR "No CUDA toolkit. Install one from https://developer.nvidia.com/cuda-downloads, or name its "
    "folder: CUDAToolkit_ROOT=/usr/local/cuda-13.0")
endif()
if(NOT TARGET CUDA::cublas)
  message(FATAL_ERROR "No cuBLAS beside the toolkit in ${CUDAToolkit_BIN_DIR}. Install its package (libcublas-dev), or "
    "pip install nvidia-cublas and name the wheels' folder: VCAP_CUDA_WHEELS=…/site-packages/nvidia")
endif()
target_link_libraries(vcap_cuda_driver PRIVATE ${CMAKE_DL_LIBS})
target_include_directories(vcap_cuda_driver SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(CUDA::cudart INTERFACE CUDA::cudart_static)
if(VCAP_CUBLAS_INCLUDE_DIR)
  target_include_directories(CUDA::cublas SYSTEM INTERFACE "${VCAP_CUBLAS_INCLUDE_DIR}")
endif()

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}")
endif()

# Ampere, its desktop kin, Ada, Hopper, desktop Blackwell. Of the first the intermediate code as well, from which a
# driver makes what a later GPU needs, at the first start. `native` would need a GPU where it is built.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 86-real 89-real 90a-real)
  if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND CMAKE_CUDA_ARCHITECTURES 120a-real)
  endif()
endif()
