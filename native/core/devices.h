#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-backend.h"

namespace vcap {

struct Device {
    std::string name;   // ggml's, unique in the process
    std::string description;
    std::string type;        // cpu | gpu | igpu | accel
    uint64_t memory_free;    // bytes
    uint64_t memory_total;   // bytes
};

/** All devices; the RPC servers (host:port) are asked for theirs first. Throws device_unavailable. */
std::vector<Device> list_devices(const std::vector<std::string> & rpc_servers);

/** The handles of the devices named, in order. Throws device_unavailable, saying which there are. */
std::vector<ggml_backend_dev_t> find_devices(const std::vector<std::string> & names);

}   // namespace vcap
