#include "core/devices.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "core/cuda_gpus.h"
#include "core/error.h"
#include "core/log.h"
#include "kernels/backend.h"

#ifdef VCAP_RPC
#include "ggml-rpc.h"
#endif

namespace vcap {
namespace {

const char * type_name(ggml_backend_dev_t device) {
    switch (ggml_backend_dev_type(device)) {
        case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
        case GGML_BACKEND_DEVICE_TYPE_GPU: return "gpu";
        case GGML_BACKEND_DEVICE_TYPE_IGPU: return "igpu";
        default: return "accel";
    }
}

/** Installs the log and registers our kernels, which must precede ggml's first use. Cheap when called again. */
void prepare() {
    install_log();
    kernels::register_backend();
}

#ifdef VCAP_RPC
/**
 * Connects to an RPC server, host:port, and registers its devices, unless an earlier call has: a second registration
 * would list them twice. ggml calls abort() where nothing listens at the address, and returns null for a server without
 * devices.
 */
void add_server(const std::string & endpoint) {
    static std::mutex mutex;
    static std::set<std::string> known;
    const std::lock_guard<std::mutex> lock(mutex);
    if (known.count(endpoint) > 0) {
        return;
    }
    ggml_backend_reg_t server = ggml_backend_rpc_add_server(endpoint.c_str());
    if (server == nullptr) {
        throw Error("device_unavailable", "The RPC server at " + endpoint + " offers no devices. Leave it out");
    }
    ggml_backend_register(server);
    known.insert(endpoint);
}

void serve(const std::string & endpoint) {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    ggml_backend_rpc_start_server(endpoint.c_str(), nullptr, 1, 1, &cpu);
    throw Error("device_unavailable", "No RPC server can be started at " + endpoint);
}
#else
void add_server(const std::string & endpoint) {
    throw Error("device_unavailable",
                "This build has no RPC backend, so " + endpoint + " cannot be used. Build the addon with VCAP_RPC=1");
}

void serve(const std::string & endpoint) { add_server(endpoint); }
#endif

/** ggml's devices that are to be seen. */
std::vector<ggml_backend_dev_t> offered_devices() {
    std::vector<ggml_backend_dev_t> offered;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        if (is_offered(ggml_backend_dev_get(i))) {
            offered.push_back(ggml_backend_dev_get(i));
        }
    }
    return offered;
}

}   // namespace

std::vector<Device> list_devices(const std::vector<std::string> & rpc_servers) {
    prepare();
    for (const std::string & endpoint : rpc_servers) {
        add_server(endpoint);
    }
    std::vector<Device> devices;
    for (ggml_backend_dev_t device : offered_devices()) {
        size_t free = 0;
        size_t total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        devices.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device), type_name(device), free,
                           total, cuda_device_problem(device)});
    }
    return devices;
}

void serve_cpu(const std::string & endpoint) {
    prepare();
    serve(endpoint);
}

std::vector<ggml_backend_dev_t> find_devices(const std::vector<std::string> & names) {
    prepare();
    const std::vector<ggml_backend_dev_t> offered = offered_devices();
    std::vector<ggml_backend_dev_t> found;
    for (const std::string & name : names) {
        ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
        if (std::find(offered.begin(), offered.end(), device) == offered.end()) {
            std::string names_there;
            for (ggml_backend_dev_t each : offered) {
                names_there += (names_there.empty() ? "" : ", ") + std::string(ggml_backend_dev_name(each));
            }
            throw Error("device_unavailable", "There is no device " + name + ". There are: " + names_there);
        }
        const std::string problem = cuda_device_problem(device);
        if (!problem.empty()) {
            throw Error("device_unavailable", problem);
        }
        found.push_back(device);
    }
    return found;
}

}   // namespace vcap
