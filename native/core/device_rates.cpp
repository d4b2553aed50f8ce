#include "core/device_rates.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "ggml-cpp.h"
#include "ggml-cpu.h"
#include "ggml.h"

namespace vcap {
namespace {

// Runs of each measurement: the first ones warm up, and of the rest no more than this many seconds.
constexpr int LEAST_RUNS = 4;
constexpr int MOST_RUNS = 100;
constexpr double ENOUGH_SECONDS = 0.7;

/** Seconds of the fastest run. */
double fastest(const std::function<void()> & run) {
    double best = 0;
    double total = 0;
    for (int i = 0; i < MOST_RUNS && (i < LEAST_RUNS || total < ENOUGH_SECONDS); i++) {
        const auto started = std::chrono::steady_clock::now();
        run();
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        total += seconds;
        best = i == 0 ? seconds : std::min(best, seconds);
    }
    return best;
}

/** A product of weights [k, m] with activations [k, n], F32, and the memory of both. */
struct Product {
    ggml_context_ptr context;
    ggml_backend_buffer_ptr memory;
    ggml_tensor * weights;
    ggml_tensor * result;
    ggml_cgraph * graph;
};

/** Fills a tensor with numbers between -0.5 and 0.5: devices compute zeros faster, since they take less power. */
void fill(ggml_tensor * tensor) {
    std::vector<float> values(1 << 18);
    uint32_t state = 1;
    for (float & value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
    }
    std::vector<ggml_fp16_t> halves(values.size());
    ggml_fp32_to_fp16_row(values.data(), halves.data(), static_cast<int64_t>(values.size()));
    const bool half = tensor->type == GGML_TYPE_F16;
    const void * bytes = half ? static_cast<const void *>(halves.data()) : values.data();
    const size_t size = values.size() * (half ? sizeof(ggml_fp16_t) : sizeof(float));
    for (size_t at = 0; at < ggml_nbytes(tensor); at += size) {
        ggml_backend_tensor_set(tensor, bytes, at, std::min(size, ggml_nbytes(tensor) - at));
    }
}

Product make_product(ggml_backend_t backend, ggml_type type, int64_t k, int64_t m, int64_t n) {
    Product product;
    product.context.reset(ggml_init({8 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, /*no_alloc =*/true}));
    ggml_context * context = product.context.get();
    product.weights = ggml_new_tensor_2d(context, type, k, m);
    ggml_tensor * activations = ggml_new_tensor_2d(context, GGML_TYPE_F32, k, n);
    product.graph = ggml_new_graph(context);
    product.result = ggml_mul_mat(context, product.weights, activations);
    ggml_build_forward_expand(product.graph, product.result);
    product.memory.reset(ggml_backend_alloc_ctx_tensors(context, backend));
    if (product.memory == nullptr) {
        throw Error("out_of_memory", std::string(ggml_backend_name(backend)) + " has no memory for matrices of " +
                                         std::to_string(k) + " x " + std::to_string(m));
    }
    fill(product.weights);
    fill(activations);
    return product;
}

/** Waits until everything before it is done: what is asked of a device behind a network answers at once. */
void wait_for(const ggml_tensor * tensor) {
    float number = 0;
    ggml_backend_tensor_get(tensor, &number, 0, sizeof(number));
}

double seconds_of(ggml_backend_t backend, const Product & product) {
    return fastest([&] {
        if (ggml_backend_graph_compute(backend, product.graph) != GGML_STATUS_SUCCESS) {
            throw Error("engine_error", std::string(ggml_backend_name(backend)) + " fails at a matrix product");
        }
        wait_for(product.result);
    });
}

}   // namespace

DeviceRates measure_device(ggml_backend_dev_t device, int side, int threads) {
    const ggml_backend_ptr opened(ggml_backend_dev_init(device, nullptr));
    ggml_backend_t backend = opened.get();
    if (backend == nullptr) {
        throw Error("device_unavailable",
                    std::string("The device ") + ggml_backend_dev_name(device) + " could not be opened");
    }
    if (ggml_backend_is_cpu(backend)) {
        ggml_backend_cpu_set_n_threads(backend, threads);
    }
    const auto square = [&](ggml_type type) {
        return 2.0 * side * side * side / seconds_of(backend, make_product(backend, type, side, side, side));
    };
    DeviceRates rates{};
    rates.half_products = square(GGML_TYPE_F16);
    rates.float_products = square(GGML_TYPE_F32);
    const Product column = make_product(backend, GGML_TYPE_F16, side, 4 * int64_t{side}, 1);
    const auto bytes = static_cast<double>(ggml_nbytes(column.weights));
    rates.reading = bytes / seconds_of(backend, column);
    const std::vector<char> source(ggml_nbytes(column.weights));
    rates.upload = bytes / fastest([&] {
                       ggml_backend_tensor_set(column.weights, source.data(), 0, source.size());
                       wait_for(column.weights);
                   });
    return rates;
}

}   // namespace vcap
