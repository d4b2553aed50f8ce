#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-backend.h"

namespace vcap {

/** A device that ggml can compute on, in this machine or behind an RPC server. */
struct Device {
    std::string name;          // ggml's name, unique in the process, such as CUDA0
    std::string description;   // the hardware's name, for people
    std::string type;          // cpu, gpu, igpu (a GPU that shares the CPU's memory) or accel (a CPU accelerator)
    uint64_t memory_free;      // bytes; 0 where the backend does not say
    uint64_t memory_total;     // bytes; 0 where the backend does not say
    std::string problem;       // why it cannot compute here, a sentence; empty: it can
};

/**
 * All devices of this process. The RPC servers named, each as host:port, are connected first, so that their devices are
 * in the list; ggml keeps them for the life of the process. Throws device_unavailable for a server that offers no
 * devices, or where this build has no RPC backend. ggml ends the process where a server does not answer as it should,
 * and waits without end where it does not answer: the caller has seen to it that it does.
 */
std::vector<Device> list_devices(const std::vector<std::string> & rpc_servers);

/**
 * Serves this machine's CPU as an RPC server at an address, host:port, for as long as the process lives: for tests.
 * Throws device_unavailable where the address cannot be had, or where this build has no RPC backend.
 */
void serve_cpu(const std::string & endpoint);

/**
 * The handles of the devices with these names, in the names' order; ggml owns them. Throws device_unavailable for a
 * name that no device has, listing the names that there are, and for a GPU that this build has no code for.
 */
std::vector<ggml_backend_dev_t> find_devices(const std::vector<std::string> & names);

}   // namespace vcap
