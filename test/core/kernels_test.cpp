#include "check.h"

#include <cmath>
#include <random>

#include "ggml-backend.h"
#include "ggml-cpp.h"
#include "ggml-cpu.h"
#include "kernels/backend.h"

using namespace vcap;

// The kernels through ggml's own interface, beside sums in double precision of the very numbers they were given.
namespace {

std::mt19937 generator(20260);

struct Graph {
    ggml_context_ptr context{ggml_init({1 << 16, nullptr, /*no_alloc =*/true})};
    ggml_backend_ptr cpu{ggml_backend_cpu_init()};
    ggml_backend_buffer_ptr buffer;

    ggml_tensor * tensor(ggml_type type, int64_t a, int64_t b, int64_t c = 1, int64_t d = 1) {
        return ggml_new_tensor_4d(context.get(), type, a, b, c, d);
    }

    /** Computes `op` with the kernels alone, on so many threads. */
    void run(ggml_tensor * op, int threads) {
        const ggml_backend_ptr kernels(kernels::open_backend(threads));
        CHECK(ggml_backend_supports_op(kernels.get(), op));
        ggml_cgraph * graph = ggml_new_graph_custom(context.get(), 8, false);
        ggml_build_forward_expand(graph, op);
        CHECK_EQUAL(ggml_backend_graph_compute(kernels.get(), graph), GGML_STATUS_SUCCESS);
    }

    void allocate() { buffer.reset(ggml_backend_alloc_ctx_tensors(context.get(), cpu.get())); }
};

void fill(ggml_tensor * tensor) {
    std::normal_distribution<float> normal;
    std::vector<float> values(ggml_nelements(tensor));
    for (float & value : values) {
        value = normal(generator);
    }
    ggml_quantize_chunk(tensor->type, values.data(), tensor->data, 0, ggml_nrows(tensor), tensor->ne[0], nullptr);
    if (tensor->type == GGML_TYPE_F32) {
        std::copy(values.begin(), values.end(), static_cast<float *>(tensor->data));
    }
}

/** A row as the numbers it stands for. */
std::vector<float> row_of(const ggml_tensor * tensor, int64_t i1, int64_t i2, int64_t i3) {
    std::vector<float> values(tensor->ne[0]);
    const char * data =
        static_cast<const char *>(tensor->data) + i1 * tensor->nb[1] + i2 * tensor->nb[2] + i3 * tensor->nb[3];
    if (tensor->type == GGML_TYPE_F32) {
        std::copy_n(reinterpret_cast<const float *>(data), values.size(), values.begin());
    } else {
        ggml_get_type_traits(tensor->type)->to_float(data, values.data(), tensor->ne[0]);
    }
    return values;
}

double dot(const std::vector<float> & a, const std::vector<float> & b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++) {
        sum += static_cast<double>(a[i]) * b[i];
    }
    return sum;
}

void check_product(ggml_type type, int64_t depth, int64_t outputs, int64_t rows, int64_t planes, int64_t weight_planes,
                   int threads) {
    Graph graph;
    ggml_tensor * weights = graph.tensor(type, depth, outputs, weight_planes);
    ggml_tensor * x = graph.tensor(GGML_TYPE_F32, depth, rows, planes);
    ggml_tensor * op = ggml_mul_mat(graph.context.get(), weights, x);
    graph.allocate();
    fill(weights);
    fill(x);
    graph.run(op, threads);
    for (int64_t plane = 0; plane < planes; plane++) {
        for (int64_t output = 0; output < outputs; output++) {
            const std::vector<float> weight = row_of(weights, output, plane / (planes / weight_planes), 0);
            for (int64_t row = 0; row < rows; row++) {
                const double expected = dot(weight, row_of(x, row, plane, 0));
                const double actual = row_of(op, row, plane, 0)[output];
                CHECK(std::fabs(actual - expected) < 1e-6 * depth);
            }
        }
    }
}

struct Attention {
    int64_t key_width = 64, value_width = 64, queries = 1, keys = 1, heads = 1, key_heads = 1, streams = 1;
    ggml_type type = GGML_TYPE_F16;
    bool masked = true;
    int threads = 2;
};

/** Queries are the last of their stream's keys, as in a language model; stream s has s · 37 keys fewer than there are
 * places. */
void check_attention(const Attention & a) {
    Graph graph;
    ggml_context * context = graph.context.get();
    ggml_tensor * q = graph.tensor(GGML_TYPE_F32, a.key_width, a.heads, a.queries, a.streams);
    ggml_tensor * k = graph.tensor(a.type, a.key_width, a.key_heads, a.keys, a.streams);
    ggml_tensor * v = graph.tensor(a.type, a.value_width, a.key_heads, a.keys, a.streams);
    ggml_tensor * mask = a.masked ? graph.tensor(GGML_TYPE_F16, a.keys, a.queries, 1, a.streams) : nullptr;
    const float scale = 0.3f;
    ggml_tensor * op =
        ggml_flash_attn_ext(context, ggml_permute(context, q, 0, 2, 1, 3), ggml_permute(context, k, 0, 2, 1, 3),
                            ggml_permute(context, v, 0, 2, 1, 3), mask, scale, 0, 0);
    graph.allocate();
    fill(q);
    fill(k);
    fill(v);
    const auto sees = [&](int64_t stream, int64_t query, int64_t key) {
        return !a.masked || key <= a.keys - stream * 37 - a.queries + query;
    };
    for (int64_t i = 0; mask != nullptr && i < ggml_nelements(mask); i++) {
        const bool seen = sees(i / (a.keys * a.queries), i / a.keys % a.queries, i % a.keys);
        static_cast<ggml_fp16_t *>(mask->data)[i] = ggml_fp32_to_fp16(seen ? 0 : -INFINITY);
    }
    graph.run(op, a.threads);
    for (int64_t stream = 0; stream < a.streams; stream++) {
        for (int64_t head = 0; head < a.heads; head++) {
            for (int64_t query = 0; query < a.queries; query++) {
                const std::vector<float> q_row = row_of(q, head, query, stream);
                double sum = 0;
                std::vector<double> mixed(a.value_width);
                for (int64_t key = 0; key < a.keys; key++) {
                    if (!sees(stream, query, key)) continue;
                    const double weight =
                        std::exp(scale * dot(q_row, row_of(k, head / (a.heads / a.key_heads), key, stream)));
                    const std::vector<float> v_row = row_of(v, head / (a.heads / a.key_heads), key, stream);
                    sum += weight;
                    for (int64_t i = 0; i < a.value_width; i++) mixed[i] += weight * v_row[i];
                }
                const std::vector<float> actual = row_of(op, head, query, stream);
                for (int64_t i = 0; i < a.value_width; i++) {
                    CHECK(std::fabs(actual[i] - (sum > 0 ? mixed[i] / sum : 0)) < 2e-5);
                }
            }
        }
    }
}

}   // namespace

TEST("kernels: matrix products of every type, few rows and many, no side a whole number of vectors") {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16}) {
        for (const int64_t rows : {1, 2, 3, 7, 16, 17, 40, 200}) {
            check_product(type, 77, 83, rows, 1, 1, 2);
        }
    }
    for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K}) {
        check_product(type, 768, 96, 33, 1, 1, 2);
    }
}

TEST("kernels: weights deeper than a panel, planes that share weights, more threads than panels") {
    check_product(GGML_TYPE_F16, 1408, 70, 25, 1, 1, 1);
    check_product(GGML_TYPE_F32, 1100, 64, 19, 6, 3, 2);
    check_product(GGML_TYPE_F16, 96, 20, 400, 1, 1, 7);
    check_product(GGML_TYPE_F16, 96, 300, 5, 4, 2, 3);
}

TEST("kernels: attention over a prompt, alone and beside other streams") {
    check_attention({64, 64, 130, 130, 4, 2, 1});
    check_attention({64, 64, 50, 300, 6, 2, 3});
    check_attention({40, 24, 97, 333, 3, 3, 1, GGML_TYPE_F32});
    check_attention({128, 128, 33, 515, 7, 1, 2, GGML_TYPE_BF16, true, 1});
    check_attention({64, 64, 70, 320, 4, 4, 1, GGML_TYPE_Q8_0});
}

TEST("kernels: attention of one token, its keys in one part and in many") {
    check_attention({64, 64, 1, 700, 8, 4, 1});
    check_attention({64, 64, 1, 700, 8, 4, 3});
    check_attention({64, 64, 1, 5, 8, 4, 1});
    check_attention({128, 128, 2, 2100, 7, 1, 1, GGML_TYPE_F32, true, 5});
    check_attention({64, 64, 1, 600, 4, 2, 2, GGML_TYPE_Q8_0});
    check_attention({36, 20, 1, 300, 2, 1, 1, GGML_TYPE_F16, true, 3});
}

TEST("kernels: attention without a mask, as a vision tower has it") {
    check_attention({64, 64, 577, 577, 1, 1, 1, GGML_TYPE_F32, false});
    check_attention({48, 48, 17, 17, 3, 3, 5, GGML_TYPE_F32, false});
}

TEST("kernels: a query that sees no key becomes nothing") {
    check_attention({64, 64, 20, 40, 2, 1, 2});   // the second stream has 3 keys for its 20 queries
    check_attention({64, 64, 4, 40, 2, 1, 2});
}

TEST("kernels: quick GELU is x times the logistic function of 1.702 x") {
    Graph graph;
    ggml_tensor * x = graph.tensor(GGML_TYPE_F32, 1003, 37);
    ggml_tensor * op = ggml_gelu_quick(graph.context.get(), x);
    graph.allocate();
    fill(x);
    auto * values = static_cast<float *>(x->data);
    values[0] = 60;
    values[1] = -60;
    values[2] = 0;
    graph.run(op, 2);
    for (int64_t i = 0; i < ggml_nelements(op); i++) {
        const double expected = values[i] / (1 + std::exp(-1.702 * values[i]));
        CHECK(std::fabs(static_cast<const float *>(op->data)[i] - expected) <= 5e-7 * std::fabs(expected) + 1e-30);
    }
}
