#include "kernels/backend.h"

#include <cstring>
#include <mutex>

#include "ggml-backend-impl.h"
#include "ggml-cpu.h"
#include "kernels/attention.h"
#include "kernels/gelu.h"
#include "kernels/matrix_product.h"

namespace vcap::kernels {
namespace {

// ggml knows a backend by three objects, each a table of functions: the registry lists devices, a device opens
// backends, and a backend computes graphs. The registry and its one device are static. A backend owns a Team, its
// `context`.

constexpr const char * NAME = "vcap-cpu";

const char * backend_name(ggml_backend_t) { return NAME; }

void free_backend(ggml_backend_t backend) {
    delete static_cast<Team *>(backend->context);
    delete backend;
}

/**
 * Computes the nodes one after the other. The scheduler gives a backend only nodes that its device supports; those
 * that are none of the three operations are views, which compute nothing.
 */
ggml_status compute_graph(ggml_backend_t backend, ggml_cgraph * graph) {
    Team & team = *static_cast<Team *>(backend->context);
    try {
        for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
            ggml_tensor * node = ggml_graph_node(graph, i);
            if (node->op == GGML_OP_MUL_MAT) {
                matrix_product(node, team);
            } else if (node->op == GGML_OP_FLASH_ATTN_EXT) {
                attention(node, team);
            } else if (node->op == GGML_OP_UNARY) {
                quick_gelu(node, team);
            }
        }
    } catch (const std::bad_alloc &) {
        return GGML_STATUS_ALLOC_FAILED;
    }
    return GGML_STATUS_SUCCESS;
}

/** The registry's "ggml_backend_set_n_threads", which llama.cpp looks up by name. */
void set_threads(ggml_backend_t backend, int count) { static_cast<Team *>(backend->context)->set_threads(count); }

ggml_backend_t init_backend(ggml_backend_dev_t device, const char *) {
    // Identifies this kind of backend: "vcap-cpu" in ASCII and 8 arbitrary bytes.
    static ggml_guid guid = {0x76, 0x63, 0x61, 0x70, 0x2d, 0x63, 0x70, 0x75,
                             0x9b, 0x1d, 0x4e, 0x52, 0xa0, 0x37, 0xc8, 0x5f};
    ggml_backend_i calls{};
    calls.get_name = backend_name;
    calls.free = free_backend;
    calls.graph_compute = compute_graph;
    return new ggml_backend{&guid, calls, device, new Team};
}

const char * device_name(ggml_backend_dev_t) { return NAME; }
const char * device_description(ggml_backend_dev_t) { return "matrix products and attention in F32"; }
/** Buffers are the CPU backend's, so that the device has no memory of its own. */
void device_memory(ggml_backend_dev_t, size_t * free, size_t * total) { *free = *total = 0; }
enum ggml_backend_dev_type device_type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; }
ggml_backend_buffer_type_t device_buffer_type(ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); }
bool supports_buffer(ggml_backend_dev_t, ggml_backend_buffer_type_t type) { return ggml_backend_buft_is_host(type); }

void device_properties(ggml_backend_dev_t device, ggml_backend_dev_props * properties) {
    *properties = {};
    properties->name = device_name(device);
    properties->description = device_description(device);
    properties->type = device_type(device);
}

bool supports_op(ggml_backend_dev_t, const ggml_tensor * op) {
    switch (op->op) {
        case GGML_OP_NONE:
        case GGML_OP_RESHAPE:
        case GGML_OP_VIEW:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE: return true;
        case GGML_OP_MUL_MAT: return supports_matrix_product(op);
        case GGML_OP_FLASH_ATTN_EXT: return supports_attention(op);
        case GGML_OP_UNARY: return supports_quick_gelu(op);
        default: return false;
    }
}

const char * registry_name(ggml_backend_reg_t) { return NAME; }
size_t device_count(ggml_backend_reg_t) { return 1; }

ggml_backend_dev_t get_device(ggml_backend_reg_t registry, size_t) {
    static ggml_backend_device device = [registry] {
        ggml_backend_device_i calls{};
        calls.get_name = device_name;
        calls.get_description = device_description;
        calls.get_memory = device_memory;
        calls.get_type = device_type;
        calls.get_props = device_properties;
        calls.init_backend = init_backend;
        calls.get_buffer_type = device_buffer_type;
        calls.supports_op = supports_op;
        calls.supports_buft = supports_buffer;
        return ggml_backend_device{calls, registry, nullptr};
    }();
    return &device;
}

void * get_proc_address(ggml_backend_reg_t, const char * name) {
    return std::strcmp(name, "ggml_backend_set_n_threads") == 0 ? reinterpret_cast<void *>(set_threads) : nullptr;
}

ggml_backend_reg registry{
    GGML_BACKEND_API_VERSION, {registry_name, device_count, get_device, get_proc_address}, nullptr};

}   // namespace

void register_backend() {
    static std::once_flag once;
    std::call_once(once, [] { ggml_backend_register(&registry); });
}

ggml_backend_t open_backend(int threads) {
    ggml_backend_t backend = init_backend(get_device(&registry, 0), nullptr);
    set_threads(backend, threads);
    return backend;
}

void start_threads(int threads) {
    Team team;
    team.set_threads(threads);
    team.parallel_for(threads, [](int, ScratchBuffer &) {});
}

}   // namespace vcap::kernels
