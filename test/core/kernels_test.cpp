#include "check.h"

#include <cmath>
#include <random>

#include "ggml-backend.h"
#include "ggml-cpp.h"
#include "ggml-cpu.h"
#include "kernels/backend.h"
#include "kernels/parallel.h"

using namespace vcap;

// The kernels are run through ggml's interface and compared with the same operations in double precision, on the
// operands as they are after rounding to their type.
namespace {

std::mt19937 generator(20260);   // a fixed seed: every run has the same operands

/** Tensors in the CPU's memory and a graph of one operation on them. */
struct Graph {
    ggml_context_ptr context{ggml_init({1 << 16, nullptr, /*no_alloc =*/true})};
    ggml_backend_ptr cpu{ggml_backend_cpu_init()};
    ggml_backend_buffer_ptr buffer;

    /** A tensor of ggml's dimensions, the columns first. It has memory after allocate(). */
    ggml_tensor * tensor(ggml_type type, int64_t ne0, int64_t ne1, int64_t ne2 = 1, int64_t ne3 = 1) {
        return ggml_new_tensor_4d(context.get(), type, ne0, ne1, ne2, ne3);
    }

    /** Computes `op` with the kernels, without ggml's CPU backend, on `threads` threads. */
    void run(ggml_tensor * op, int threads) {
        const ggml_backend_ptr kernels(kernels::open_backend(threads));
        CHECK(ggml_backend_supports_op(kernels.get(), op));
        ggml_cgraph * graph = ggml_new_graph_custom(context.get(), 8, false);
        ggml_build_forward_expand(graph, op);
        CHECK_EQUAL(ggml_backend_graph_compute(kernels.get(), graph), GGML_STATUS_SUCCESS);
    }

    void allocate() { buffer.reset(ggml_backend_alloc_ctx_tensors(context.get(), cpu.get())); }
};

/** Fills a tensor with numbers of the standard normal distribution, rounded to its type. */
void fill_normal(ggml_tensor * tensor) {
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

/** The row at ggml's indices i1, i2 and i3, converted to F32. */
std::vector<float> row_as_f32(const ggml_tensor * tensor, int64_t i1, int64_t i2, int64_t i3) {
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

/**
 * A product of `batch` matrices: weights [weight_batch, outputs, depth] of `type` and activations [batch, rows, depth]
 * in F32. `batch` is a multiple of `weight_batch`.
 */
void check_product(ggml_type type, int64_t depth, int64_t outputs, int64_t rows, int64_t batch, int64_t weight_batch,
                   int threads) {
    Graph graph;
    ggml_tensor * weights = graph.tensor(type, depth, outputs, weight_batch);
    ggml_tensor * x = graph.tensor(GGML_TYPE_F32, depth, rows, batch);
    ggml_tensor * op = ggml_mul_mat(graph.context.get(), weights, x);
    graph.allocate();
    fill_normal(weights);
    fill_normal(x);
    graph.run(op, threads);
    for (int64_t matrix = 0; matrix < batch; matrix++) {
        for (int64_t output = 0; output < outputs; output++) {
            const std::vector<float> weight = row_as_f32(weights, output, matrix / (batch / weight_batch), 0);
            for (int64_t row = 0; row < rows; row++) {
                const double expected = dot(weight, row_as_f32(x, row, matrix, 0));
                const double actual = row_as_f32(op, row, matrix, 0)[output];
                CHECK(std::fabs(actual - expected) < 1e-6 * depth);
            }
        }
    }
}

/** The sizes of an attention to check, each as in AttentionShape, and the threads that compute it. */
struct AttentionCase {
    int64_t key_dim = 64, value_dim = 64, queries = 1, keys = 1, query_heads = 1, kv_heads = 1, streams = 1;
    ggml_type type = GGML_TYPE_F16;   // of keys and values
    bool masked = true;
    int threads = 2;
};

/**
 * Where it is masked, the mask is a language model's: stream s uses all but the last s · 37 keys, its queries belong to
 * the last of those, and each query sees its own key and those before it.
 */
void check_attention(const AttentionCase & a) {
    Graph graph;
    ggml_context * context = graph.context.get();
    ggml_tensor * q = graph.tensor(GGML_TYPE_F32, a.key_dim, a.query_heads, a.queries, a.streams);
    ggml_tensor * k = graph.tensor(a.type, a.key_dim, a.kv_heads, a.keys, a.streams);
    ggml_tensor * v = graph.tensor(a.type, a.value_dim, a.kv_heads, a.keys, a.streams);
    ggml_tensor * mask = a.masked ? graph.tensor(GGML_TYPE_F16, a.keys, a.queries, 1, a.streams) : nullptr;
    const float scale = 0.3f;
    ggml_tensor * op =
        ggml_flash_attn_ext(context, ggml_permute(context, q, 0, 2, 1, 3), ggml_permute(context, k, 0, 2, 1, 3),
                            ggml_permute(context, v, 0, 2, 1, 3), mask, scale, 0, 0);
    graph.allocate();
    fill_normal(q);
    fill_normal(k);
    fill_normal(v);
    const auto sees = [&](int64_t stream, int64_t query, int64_t key) {
        return !a.masked || key <= a.keys - stream * 37 - a.queries + query;
    };
    for (int64_t i = 0; mask != nullptr && i < ggml_nelements(mask); i++) {
        const bool seen = sees(i / (a.keys * a.queries), i / a.keys % a.queries, i % a.keys);
        static_cast<ggml_fp16_t *>(mask->data)[i] = ggml_fp32_to_fp16(seen ? 0 : -INFINITY);
    }
    graph.run(op, a.threads);
    for (int64_t stream = 0; stream < a.streams; stream++) {
        for (int64_t head = 0; head < a.query_heads; head++) {
            for (int64_t query = 0; query < a.queries; query++) {
                const std::vector<float> q_row = row_as_f32(q, head, query, stream);
                double sum = 0;
                std::vector<double> weighted_values(a.value_dim);
                for (int64_t key = 0; key < a.keys; key++) {
                    if (!sees(stream, query, key)) continue;
                    const double weight =
                        std::exp(scale * dot(q_row, row_as_f32(k, head / (a.query_heads / a.kv_heads), key, stream)));
                    const std::vector<float> v_row = row_as_f32(v, head / (a.query_heads / a.kv_heads), key, stream);
                    sum += weight;
                    for (int64_t i = 0; i < a.value_dim; i++) weighted_values[i] += weight * v_row[i];
                }
                const std::vector<float> actual = row_as_f32(op, head, query, stream);
                for (int64_t i = 0; i < a.value_dim; i++) {
                    CHECK(std::fabs(actual[i] - (sum > 0 ? weighted_values[i] / sum : 0)) < 2e-5);
                }
            }
        }
    }
}

}   // namespace

TEST("kernels: matrix products of every type, few rows and many, dimensions that do not fill SIMD vectors") {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16}) {
        for (const int64_t rows : {1, 2, 3, 7, 16, 17, 40, 200}) {
            check_product(type, 77, 83, rows, 1, 1, 2);
        }
    }
    for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K}) {
        check_product(type, 768, 96, 33, 1, 1, 2);
    }
}

TEST("kernels: weights deeper than a panel, batches that share weights, more threads than panels") {
    check_product(GGML_TYPE_F16, 1408, 70, 25, 1, 1, 1);
    check_product(GGML_TYPE_F32, 1100, 64, 19, 6, 3, 2);
    check_product(GGML_TYPE_F16, 96, 20, 400, 1, 1, 7);
    check_product(GGML_TYPE_F16, 96, 300, 5, 4, 2, 3);
}

TEST("kernels: attention over a prompt, in one stream and in several") {
    check_attention({64, 64, 130, 130, 4, 2, 1});
    check_attention({64, 64, 50, 300, 6, 2, 3});
    check_attention({40, 24, 97, 333, 3, 3, 1, GGML_TYPE_F32});
    check_attention({128, 128, 33, 515, 7, 1, 2, GGML_TYPE_BF16, true, 1});
    check_attention({64, 64, 70, 320, 4, 4, 1, GGML_TYPE_Q8_0});
}

TEST("kernels: attention of one or two tokens, its keys in one part and in several") {
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

TEST("kernels: the output of a query that sees no key is zeros") {
    check_attention({64, 64, 20, 40, 2, 1, 2});   // the second stream has 3 keys for its 20 queries
    check_attention({64, 64, 4, 40, 2, 1, 2});
}

TEST("kernels: quick GELU is x times the logistic function of 1.702 x") {
    Graph graph;
    ggml_tensor * x = graph.tensor(GGML_TYPE_F32, 1003, 37);
    ggml_tensor * op = ggml_gelu_quick(graph.context.get(), x);
    graph.allocate();
    fill_normal(x);
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

TEST("kernels: what fails on one thread of a team fails the operation, and the team goes on") {
    kernels::Team team;
    team.set_threads(3);
    for (const int failing : {0, 7, 63}) {
        bool failed = false;
        try {
            team.parallel_for(64, [&](int item, kernels::ScratchBuffer & buffer) {
                buffer.reserve(16);
                if (item == failing) throw std::bad_alloc();
            });
        } catch (const std::bad_alloc &) {
            failed = true;
        }
        CHECK(failed);
    }
    std::atomic<int> done{0};
    team.parallel_for(64, [&](int, kernels::ScratchBuffer &) { done++; });
    CHECK_EQUAL(done.load(), 64);
}
