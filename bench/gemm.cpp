// How fast this machine multiplies matrices, with ggml's own kernels and with ours: gemm THREADS TYPE K M N [K M N ...]
// For each product of TYPE weights [K x M] with F32 activations [K x N], best of several runs, prints both GFLOP/s on a
// line.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "kernels/backend.h"

namespace {

ggml_type type_by_name(const char * name) {
    for (int type = 0; type < GGML_TYPE_COUNT; type++) {
        const char * known = ggml_type_name(static_cast<ggml_type>(type));
        if (known != nullptr && std::strcmp(known, name) == 0) {
            return static_cast<ggml_type>(type);
        }
    }
    std::fprintf(stderr, "gemm: no type %s\n", name);
    std::exit(2);
}

double measure(ggml_backend_t backend, ggml_backend_t memory, ggml_type type, int64_t k, int64_t m, int64_t n) {
    ggml_context * context = ggml_init({ggml_tensor_overhead() * 8 + ggml_graph_overhead(), nullptr, true});
    ggml_tensor * weights = ggml_new_tensor_2d(context, type, k, m);
    ggml_tensor * activations = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, n);
    ggml_cgraph * graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, ggml_mul_mat(context, weights, activations));
    ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors(context, memory);

    std::vector<float> values(static_cast<size_t>(k) * (m > n ? m : n));
    uint32_t state = 1;
    for (float & value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
    }
    std::vector<char> quantised(ggml_nbytes(weights));
    ggml_quantize_chunk(type, values.data(), quantised.data(), 0, m, k, nullptr);
    ggml_backend_tensor_set(weights, quantised.data(), 0, quantised.size());
    ggml_backend_tensor_set(activations, values.data(), 0, ggml_nbytes(activations));

    double best = 0, total = 0;
    for (int run = 0; run < 50 && (run < 4 || total < 0.7); run++) {
        const auto started = std::chrono::steady_clock::now();
        ggml_backend_graph_compute(backend, graph);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        total += seconds;
        best = std::max(best, 2.0 * k * m * n / seconds / 1e9);
    }
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    return best;
}

}   // namespace

int main(int argc, char ** argv) {
    if (argc < 6 || (argc - 3) % 3 != 0) {
        std::fprintf(stderr, "usage: gemm THREADS TYPE K M N [K M N ...]\n");
        return 2;
    }
    const int threads = std::atoi(argv[1]);
    ggml_backend_t ggml = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(ggml, threads);
    ggml_backend_t ours = vcap::kernels::open_backend(threads);
    const ggml_type type = type_by_name(argv[2]);
    for (int i = 3; i < argc; i += 3) {
        const int64_t k = std::atoll(argv[i]), m = std::atoll(argv[i + 1]), n = std::atoll(argv[i + 2]);
        const double theirs = measure(ggml, ggml, type, k, m, n);
        std::printf("%.1f %.1f\n", theirs, measure(ours, ggml, type, k, m, n));
    }
    ggml_backend_free(ours);
    ggml_backend_free(ggml);
}
