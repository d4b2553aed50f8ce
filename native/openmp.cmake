# GCC's OpenMP runtime becomes part of the addon where the compiler has it as code that can: that which most systems
# have is compiled for programs, and the addon then needs the shared libgomp. Other compilers' is found by CMake.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT DEFINED OpenMP_gomp_LIBRARY)
  set(compiler ${CMAKE_CXX_COMPILER})
  if(CMAKE_SYSROOT)
    list(APPEND compiler "--sysroot=${CMAKE_SYSROOT}")
  endif()
  execute_process(COMMAND ${compiler} -print-file-name=libgomp.a
    OUTPUT_VARIABLE libgomp OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(IS_ABSOLUTE "${libgomp}")
    execute_process(COMMAND ${compiler} -shared -Wl,-u,GOMP_parallel "${libgomp}" -pthread -ldl
      -o "${CMAKE_BINARY_DIR}/libgomp-check.so" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(NOT failed)
      set(OpenMP_gomp_LIBRARY "${libgomp}" CACHE FILEPATH "GCC's OpenMP runtime, linked in")
    endif()
  endif()
endif()
