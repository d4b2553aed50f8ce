#pragma once

#include <string>
#include <vector>

namespace vcap::cuda {

/** One of NVIDIA's libraries that is not shipped with this package and not linked to: it is looked for at run time. */
struct WantedLibrary {
    std::string name;                  // with the major version that this build has the headers of: cuBLAS 13
    std::string file;                  // as the system's loader knows it, with that version: libcublas.so.13
    std::vector<std::string> beside;   // libraries that it needs and that lie in its folder: libcublasLt.so.13
    std::string remedy;                // where it comes from, as words that go on from "…: "

    /**
     * Sets the version of the library opened as `handle`, for people. Returns why it cannot be used, as words that go
     * on from its file, or an empty text.
     */
    std::string (*inspect)(void * handle, std::string & version);
};

/** What became of it. Exactly one of `path` and `problem` is empty. */
struct Library {
    std::string name;
    std::string path;
    std::string version;
    std::string problem;   // words that go on from "built with CUDA, but "
    void * handle = nullptr;

    /** A function of it by name, or null. */
    void * function(const char * symbol) const;
};

/**
 * Looks for a library and opens the first that can be used, for the life of the process: in the wheels' folder that
 * VCAP_CUDA_WHEELS names; where the system's loader looks (LD_LIBRARY_PATH too); in CUDA toolkits; in conda's
 * environment; in NVIDIA's wheels of the Python environments that are active or the system's. The current directory is
 * never searched. Takes milliseconds where it is missing.
 */
Library open_library(const WantedLibrary & wanted);

}   // namespace vcap::cuda
