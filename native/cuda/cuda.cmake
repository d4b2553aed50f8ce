# What ggml's CUDA backend is compiled and linked with. Everything here is given from outside, by targets, cache
# variables and defaults that ggml's own files ask for; nothing of llama.cpp is patched.

set(VCAP_CUDA_WHEELS "" CACHE PATH
  "The folder nvidia of a Python's site-packages, where cuBLAS's and NCCL's headers came by pip")

# CUDA's runtime is linked in: one library less to be found at run time. cuBLAS and NCCL are too large for that (600 MB),
# and the driver belongs to the machine that runs: their functions are looked up when they are called, in our files.
if(NOT TARGET CUDA::cudart)
  add_library(CUDA::cudart INTERFACE IMPORTED)
endif()
add_library(vcap_cuda STATIC native/cuda/cublas.cpp native/cuda/driver.cpp native/cuda/library.cpp native/cuda/nccl.cpp)
foreach(target CUDA::cublas CUDA::cuda_driver NCCL::NCCL)
  add_library(${target} ALIAS vcap_cuda)
endforeach()

find_package(CUDAToolkit)
if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
  message(FATAL_ERROR "No CUDA toolkit. Install one from https://developer.nvidia.com/cuda-downloads, or name its "
    "folder: CUDAToolkit_ROOT=/usr/local/cuda-13.0")
endif()
# Of cuBLAS and NCCL the headers are needed. Each CUDA release lays the wheels' folders out anew.
find_path(VCAP_CUBLAS_INCLUDE_DIR cublas_v2.h
  HINTS "${VCAP_CUDA_WHEELS}" ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES cu13/include cublas/include)
if(NOT VCAP_CUBLAS_INCLUDE_DIR)
  message(FATAL_ERROR "No header of cuBLAS beside the toolkit in ${CUDAToolkit_BIN_DIR}. Install its package "
    "(libcublas-dev), or pip install nvidia-cublas and name the wheels' folder: VCAP_CUDA_WHEELS=…/site-packages/nvidia")
endif()
find_path(NCCL_INCLUDE_DIR nccl.h
  HINTS "${VCAP_CUDA_WHEELS}" ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES nccl/include)
target_include_directories(vcap_cuda PRIVATE native)
target_include_directories(vcap_cuda SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS} "${VCAP_CUBLAS_INCLUDE_DIR}")
target_link_libraries(vcap_cuda PRIVATE ${CMAKE_DL_LIBS})
target_link_libraries(CUDA::cudart INTERFACE CUDA::cudart_static)
if(NCCL_INCLUDE_DIR)
  set(NCCL_LIBRARY vcap_cuda CACHE STRING "Found, as ggml's search is to think" FORCE)
  target_include_directories(vcap_cuda SYSTEM PUBLIC "${NCCL_INCLUDE_DIR}")
endif()

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}")
endif()

# Ampere, its desktop kin, Ada, Hopper, desktop Blackwell. Of Hopper the intermediate code as well, from which a driver
# makes what a later GPU needs, at the first start; that of 90a would run on Hopper alone. The package with CUDA is
# built by this list too (docs/cuda.md). `native` would need a GPU where it is built.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 90-virtual)
  if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND CMAKE_CUDA_ARCHITECTURES 120a-real)
  endif()
endif()
