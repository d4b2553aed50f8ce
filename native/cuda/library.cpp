#include "cuda/library.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>

namespace vcap::cuda {
namespace {

// NVIDIA's wheels lay their libraries below a folder of their own in site-packages; CUDA 13's share one.
const char * const WHEELS[] = {"/cu1[3-9]/lib", "/cublas/lib", "/nccl/lib"};
const char * const PYTHONS[] = {"/lib/python3*/site-packages/nvidia", "/lib64/python3*/site-packages/nvidia"};

std::string environment(const char * name) {
    const char * value = std::getenv(name);
    return value != nullptr ? value : "";
}

void add_wheels(std::vector<std::string> & folders, const std::string & nvidia) {
    for (const char * wheel : WHEELS) {
        folders.push_back(nvidia + wheel);
    }
}

void add_toolkit(std::vector<std::string> & folders, const std::string & toolkit) {
    folders.push_back(toolkit + "/lib64");
    folders.push_back(toolkit + "/targets/*/lib");
}

/** The folders to look in after the loader's own, as patterns for glob. */
std::vector<std::string> usual_folders() {
    std::vector<std::string> folders;
    for (const char * name : {"CUDA_HOME", "CUDA_PATH"}) {
        if (const std::string toolkit = environment(name); !toolkit.empty()) {
            add_toolkit(folders, toolkit);
        }
    }
    for (const char * toolkit : {"/usr/local/cuda", "/usr/local/cuda-*", "/opt/cuda"}) {
        add_toolkit(folders, toolkit);
    }
    folders.push_back("/usr/lib/*-linux-gnu");
    const std::string conda = environment("CONDA_PREFIX");
    if (!conda.empty()) {
        folders.push_back(conda + "/lib");
        add_toolkit(folders, conda);
    }
    const std::string home = environment("HOME");
    for (const std::string & prefix : {environment("VIRTUAL_ENV"), conda, home.empty() ? home : home + "/.local",
                                       std::string("/usr/local"), std::string("/usr")}) {
        for (const char * python : PYTHONS) {
            if (!prefix.empty()) {
                add_wheels(folders, prefix + python);
            }
        }
    }
    add_wheels(folders, "/usr/local/lib/python3*/dist-packages/nvidia");
    return folders;
}

/** The paths that a pattern is of, in the order of their names. */
std::vector<std::string> matches(const std::string & pattern) {
    std::vector<std::string> paths;
    glob_t found = {};
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    globfree(&found);
    return paths;
}

/** The path of an open library, as the loader tells it. */
std::string path_of(void * handle) {
    link_map * map = nullptr;
    return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr ? map->l_name : "";
}

class Search {
public:
    explicit Search(const WantedLibrary & wanted) : wanted_(wanted) {}

    /** Whether the library lies in a folder that a pattern is of, and can be used. */
    bool look_in(const std::string & pattern) {
        for (const std::string & path : matches(pattern + "/" + wanted_.file)) {
            if (open(path)) {
                return true;
            }
        }
        if (other_.empty()) {
            const std::string any_version = wanted_.file.substr(0, wanted_.file.find(".so") + 3) + ".[0-9]*";
            for (const std::string & path : matches(pattern + "/" + any_version)) {
                other_ = path;
            }
        }
        return false;
    }

    /** Opens the library by a path, or by its name where the system's loader finds it. */
    bool open(const std::string & path) {
        const size_t folder = path.rfind('/') + 1;   // 0: none
        // The loader takes a library that is open already for what another one needs by the same name.
        std::vector<void *> beside;
        for (const std::string & file : wanted_.beside) {
            const std::string neighbour = path.substr(0, folder) + file;
            if (folder > 0 && access(neighbour.c_str(), F_OK) == 0) {
                beside.push_back(dlopen(neighbour.c_str(), RTLD_NOW | RTLD_LOCAL));
            }
        }
        void * handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        const char * reason = handle == nullptr ? dlerror() : nullptr;
        const std::string why = reason != nullptr ? reason : "";
        for (void * each : beside) {
            if (each != nullptr) {
                dlclose(each);   // the library itself holds what it needs
            }
        }
        return handle != nullptr ? accept(handle) : refuse(path, why);
    }

    /** What became of it. */
    Library result() const {
        Library library = found_;
        library.name = wanted_.name;
        if (library.handle == nullptr) {
            library.problem = problem();
        }
        return library;
    }

private:
    bool accept(void * handle) {
        const std::string path = path_of(handle);
        std::string version;
        const std::string fault = wanted_.inspect(handle, version);
        if (!fault.empty()) {
            dlclose(handle);
            return note(path + " " + fault);
        }
        found_.path = path;
        found_.version = version;
        found_.handle = handle;
        return true;
    }

    bool refuse(const std::string & path, const std::string & why) {
        const bool absent = path == wanted_.file && why.compare(0, path.size() + 1, path + ":") == 0;
        return absent ? false : note(path + " does not load (" + why + ")");
    }

    /** Keeps the first reason against a library that is there. */
    bool note(const std::string & fault) {
        if (fault_.empty()) {
            fault_ = fault;
        }
        return false;
    }

    std::string problem() const {
        if (!fault_.empty()) {
            return wanted_.name + " cannot be used, " + fault_ + ": " + wanted_.remedy;
        }
        return wanted_.name + " (" + wanted_.file +
               ") is missing where the system's loader looks, in CUDA toolkits, conda and NVIDIA's wheels for Python" +
               (other_.empty() ? "" : "; there is " + other_) + ": " + wanted_.remedy;
    }

    const WantedLibrary & wanted_;
    Library found_;
    std::string fault_;   // the first library found that cannot be used, and why
    std::string other_;   // one of another version
};

}   // namespace

void * Library::function(const char * symbol) const { return handle != nullptr ? dlsym(handle, symbol) : nullptr; }

Library open_library(const WantedLibrary & wanted) {
    Search search(wanted);
    std::vector<std::string> named;
    if (const std::string wheels = environment("VCAP_CUDA_WHEELS"); !wheels.empty()) {
        add_wheels(named, wheels);
    }
    const auto found_in = [&search](const std::vector<std::string> & patterns) {
        for (const std::string & pattern : patterns) {
            if (search.look_in(pattern)) {
                return true;
            }
        }
        return false;
    };
    static_cast<void>(found_in(named) || search.open(wanted.file) || found_in(usual_folders()));
    return search.result();
}

}   // namespace vcap::cuda
