# A CMake toolchain: the compiler, the C library and the C++ runtime of a folder that scripts/sysroot.mjs has made. What
# they build loads on every Linux with glibc 2.28 or newer: Debian 10, Ubuntu 20.04, RHEL 8 and their kin.
set(VCAP_SYSROOT "$ENV{VCAP_SYSROOT}" CACHE PATH "The folder that scripts/sysroot.mjs has made")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VCAP_SYSROOT)
set(CMAKE_SYSROOT "${VCAP_SYSROOT}")
foreach(compiler "C;gcc" "CXX;g++")
  list(GET compiler 0 language)
  list(GET compiler 1 name)
  file(GLOB CMAKE_${language}_COMPILER "${VCAP_SYSROOT}/usr/bin/${name}-[0-9]*")
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
