#include "core/vision/llava/tower.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/vision/llava/pack.h"
#include "ggml-cpu.h"
#include "kernels/backend.h"

namespace vcap::llava {
namespace {

// Bytes that the activations of one graph may take, so that a big batch of tiles cannot crowd out the language model.
// On a CPU fewer are faster: what one operation wrote is then still in a cache when the next one reads it. On a GPU
// sixteen tiles of CLIP-L beside a 34B make matrices that fill all its multiprocessors several times.
constexpr uint64_t GPU_ACTIVATION_BYTES = 1200ull << 20;
constexpr uint64_t CPU_ACTIVATION_BYTES = 128ull << 20;
constexpr int MAX_TILES = 64;
constexpr int NODES_PER_BLOCK = 40;

bool is_matrix_type(ggml_type type) {
    switch (type) {
        case GGML_TYPE_F32:
        case GGML_TYPE_F16:
        case GGML_TYPE_BF16:
        case GGML_TYPE_Q4_0:
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q5_1:
        case GGML_TYPE_Q8_0:
        case GGML_TYPE_Q2_K:
        case GGML_TYPE_Q3_K:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q6_K:
        case GGML_TYPE_IQ4_NL:
        case GGML_TYPE_IQ4_XS: return true;
        default: return false;
    }
}

std::vector<float> read_floats(const GgufFile & file, const ggml_tensor * tensor) {
    const int64_t count = ggml_nelements(tensor);
    std::vector<float> values(count);
    const std::vector<uint8_t> data = file.read_tensor(tensor);
    if (tensor->type == GGML_TYPE_F32) {
        std::memcpy(values.data(), data.data(), count * sizeof(float));
    } else {
        ggml_get_type_traits(tensor->type)->to_float(data.data(), values.data(), count);
    }
    return values;
}

bool is_cpu(ggml_backend_dev_t device) { return ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU; }

/** Whether a device has flash attention over this tower's heads. */
bool has_flash_attention(const Config & config, ggml_backend_dev_t device) {
    const ggml_context_ptr graph(ggml_init({8 * ggml_tensor_overhead(), nullptr, /*no_alloc =*/true}));
    const auto heads = [&] {
        ggml_tensor * x = ggml_new_tensor_4d(graph.get(), GGML_TYPE_F32, config.embedding / config.heads, config.heads,
                                             config.positions(), 1);
        return ggml_permute(graph.get(), x, 0, 2, 1, 3);
    };
    const ggml_tensor * mixed = ggml_flash_attn_ext(graph.get(), heads(), heads(), heads(), nullptr, 1.0f, 0.0f, 0.0f);
    return ggml_backend_dev_supports_op(device, mixed);
}

std::string shape_of(const ggml_tensor * tensor) {
    std::string shape;
    for (int i = 0; i < ggml_n_dims(tensor); i++) {
        shape += (i > 0 ? " x " : "") + std::to_string(tensor->ne[i]);
    }
    return shape;
}

}   // namespace

Arithmetic choose_arithmetic(const Config & config, ggml_backend_dev_t device) {
    if (is_cpu(device)) {
        return {true, false, CPU_ACTIVATION_BYTES};
    }
    return {has_flash_attention(config, device), true, GPU_ACTIVATION_BYTES};
}

Tower::Tower(const GgufFile & file, const Config & config, ggml_backend_dev_t device, const Arithmetic & arithmetic,
             const CpuThreads & threads)
    : config_(config), processor_(config), arithmetic_(arithmetic) {
    if (!is_cpu(device)) {
        backends_.emplace_back(ggml_backend_dev_init(device, nullptr));
    } else {
        backends_.emplace_back(kernels::open_backend(threads.count()));
    }
    backends_.emplace_back(ggml_backend_cpu_init());   // for the operations that the first backend does not take
    for (const ggml_backend_ptr & backend : backends_) {
        if (backend == nullptr) {
            throw Error("device_unavailable",
                        std::string("The device ") + ggml_backend_dev_name(device) + " could not be opened");
        }
    }
    ggml_backend_t cpu = backends_.back().get();
    ggml_backend_cpu_set_n_threads(cpu, threads.count());
    ggml_backend_cpu_set_threadpool(cpu, threads.pool());
    const ggml_abort_callback asks = [](void * flag) { return static_cast<std::atomic<bool> *>(flag)->load(); };
    ggml_backend_cpu_set_abort_callback(cpu, asks, &aborted_);

    const uint64_t positions = config.positions();
    const uint64_t scores = arithmetic_.flash_attention ? 0 : 2 * positions * config.heads;
    const uint64_t tile_bytes =
        4 * positions * (scores + 8ull * config.embedding + 2ull * config.feed_forward + 2ull * config.feature_width);
    max_tiles_ = static_cast<int>(std::clamp<uint64_t>(arithmetic_.activation_bytes / tile_bytes, 1, MAX_TILES));

    load_weights(file);
    ggml_backend_t order[] = {backends_[0].get(), backends_[1].get()};
    // The scheduler counts a graph's weights and inputs beside its nodes.
    scheduler_.reset(
        ggml_backend_sched_new(order, nullptr, 2, 2 * graph_nodes(), /*parallel =*/false, /*op_offload =*/false));

    normalised_.resize(3 * 256);
    for (int channel = 0; channel < 3; channel++) {
        for (int byte = 0; byte < 256; byte++) {
            // As the reference: rescaled in float32 first, then normalised.
            const float value = static_cast<float>(byte * (1.0 / 255.0));
            normalised_[channel * 256 + byte] = (value - config_.mean[channel]) / config_.deviation[channel];
        }
    }
}

/** Declares one weight of the given shape. A matrix keeps the type it is stored in, everything else becomes F32. */
ggml_tensor * Tower::declare(const GgufFile & file, const std::string & name, std::vector<int64_t> shape, bool matrix) {
    const ggml_tensor * stored = file.require_tensor(name);
    shape.resize(GGML_MAX_DIMS, 1);
    if (!std::equal(shape.begin(), shape.end(), stored->ne)) {
        std::string expected;
        for (int i = 0; i < GGML_MAX_DIMS && (i == 0 || shape[i] != 1); i++) {
            expected += (i > 0 ? " x " : "") + std::to_string(shape[i]);
        }
        file.invalid("tensor " + name + " is " + shape_of(stored) + ", but the header's widths make it " + expected);
    }
    const bool readable = stored->type == GGML_TYPE_F32 || ggml_get_type_traits(stored->type)->to_float != nullptr;
    if (!readable || (matrix && !is_matrix_type(stored->type))) {
        file.invalid("tensor " + name + " has the type " + ggml_type_name(stored->type) +
                     ", which this tower cannot use");
    }
    ggml_tensor * tensor =
        ggml_new_tensor(weights_.get(), matrix ? stored->type : GGML_TYPE_F32, GGML_MAX_DIMS, shape.data());
    ggml_set_name(tensor, name.c_str());
    return tensor;
}

Tower::Linear Tower::declare_linear(const GgufFile & file, const std::string & name, int64_t in, int64_t out) {
    return {declare(file, name + ".weight", {in, out}, true), declare(file, name + ".bias", {out}, false)};
}

Tower::Linear Tower::declare_norm(const GgufFile & file, const std::string & name) {
    return {declare(file, name + ".weight", {config_.embedding}, false),
            declare(file, name + ".bias", {config_.embedding}, false)};
}

void Tower::load_weights(const GgufFile & file) {
    const size_t tensors = 16 + 16 * static_cast<size_t>(config_.blocks);
    weights_.reset(ggml_init({tensors * ggml_tensor_overhead(), nullptr, /*no_alloc =*/true}));

    const int64_t patch = config_.geometry.patch_size;
    const int64_t d = config_.embedding;
    const int64_t ff = config_.feed_forward;
    patch_kernel_ = declare(file, "v.patch_embd.weight", {patch, patch, 3, d}, false);
    class_token_ = declare(file, "v.class_embd", {d}, false);
    positions_ = declare(file, "v.position_embd.weight", {d, config_.positions()}, false);
    pre_norm_ = declare_norm(file, "v.pre_ln");
    const std::string fc1 = config_.swapped_ffn ? "ffn_down" : "ffn_up";
    const std::string fc2 = config_.swapped_ffn ? "ffn_up" : "ffn_down";
    for (int i = 0; i < config_.blocks; i++) {
        const std::string prefix = "v.blk." + std::to_string(i) + ".";
        Block block{};
        block.ln1 = declare_norm(file, prefix + "ln1");
        block.query = declare_linear(file, prefix + "attn_q", d, d);
        block.key = declare_linear(file, prefix + "attn_k", d, d);
        block.value = declare_linear(file, prefix + "attn_v", d, d);
        block.out = declare_linear(file, prefix + "attn_out", d, d);
        block.ln2 = declare_norm(file, prefix + "ln2");
        block.fc1 = declare_linear(file, prefix + fc1, d, ff);
        block.fc2 = declare_linear(file, prefix + fc2, ff, d);
        blocks_.push_back(block);
    }
    const int64_t hidden = file.require_tensor("mm.0.weight")->ne[1];
    project1_ = declare_linear(file, "mm.0", d, hidden);
    project2_ = declare_linear(file, "mm.2", hidden, config_.feature_width);

    weights_buffer_.reset(ggml_backend_alloc_ctx_tensors(weights_.get(), backends_.front().get()));
    if (weights_buffer_ == nullptr) {
        throw Error("out_of_memory", file.path() + ": there is not enough memory on " +
                                         ggml_backend_name(backends_.front().get()) + " for the vision tower");
    }
    ggml_backend_buffer_set_usage(weights_buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (ggml_tensor * tensor = ggml_get_first_tensor(weights_.get()); tensor != nullptr;
         tensor = ggml_get_next_tensor(weights_.get(), tensor)) {
        const ggml_tensor * stored = file.require_tensor(ggml_get_name(tensor));
        if (stored->type == tensor->type) {
            ggml_backend_tensor_set(tensor, file.read_tensor(stored).data(), 0, ggml_nbytes(tensor));
        } else {
            const std::vector<float> values = read_floats(file, stored);
            ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
        }
    }
    if (!config_.newline.empty()) {
        const ggml_tensor * newline = file.require_tensor(config_.newline);
        if (ggml_nelements(newline) != config_.feature_width ||
            (newline->type != GGML_TYPE_F32 && ggml_get_type_traits(newline->type)->to_float == nullptr)) {
            file.invalid("tensor " + config_.newline + " is no vector of " + std::to_string(config_.feature_width) +
                         " numbers");
        }
        newline_ = read_floats(file, newline);
    }
}

ggml_tensor * Tower::product(ggml_context * graph, ggml_tensor * weights, ggml_tensor * x) const {
    ggml_tensor * product = ggml_mul_mat(graph, weights, x);
    if (arithmetic_.exact_products) {
        ggml_prec_set_acc(product, GGML_PREC_F32);
    }
    return product;
}

ggml_tensor * Tower::linear(ggml_context * graph, const Linear & weights, ggml_tensor * x) const {
    return ggml_add(graph, product(graph, weights.weight, x), weights.bias);
}

ggml_tensor * Tower::norm(ggml_context * graph, const Linear & weights, ggml_tensor * x) const {
    return ggml_add(graph, ggml_mul(graph, ggml_norm(graph, x, config_.epsilon), weights.weight), weights.bias);
}

/** Self-attention of every tile within itself: x [embedding, positions, tiles]. */
ggml_tensor * Tower::attention(ggml_context * graph, const Block & block, ggml_tensor * x) const {
    const int64_t d = x->ne[0];
    const int64_t positions = x->ne[1];
    const int64_t tiles = x->ne[2];
    const int64_t head = d / config_.heads;
    const auto split = [&](const Linear & weights) {
        return ggml_reshape_4d(graph, linear(graph, weights, x), head, config_.heads, positions, tiles);
    };
    ggml_tensor * q = ggml_permute(graph, split(block.query), 0, 2, 1, 3);
    ggml_tensor * k = ggml_permute(graph, split(block.key), 0, 2, 1, 3);
    const float scale = 1.0f / std::sqrt(static_cast<float>(head));
    if (arithmetic_.flash_attention) {
        ggml_tensor * v = ggml_permute(graph, split(block.value), 0, 2, 1, 3);
        ggml_tensor * mixed = ggml_flash_attn_ext(graph, q, k, v, nullptr, scale, 0.0f, 0.0f);
        ggml_prec_set_acc(mixed, GGML_PREC_F32);
        return linear(graph, block.out, ggml_reshape_3d(graph, mixed, d, positions, tiles));
    }
    ggml_tensor * v = ggml_cont(graph, ggml_permute(graph, split(block.value), 1, 2, 0, 3));
    ggml_tensor * scores = ggml_soft_max_ext(graph, product(graph, k, q), nullptr, scale, 0.0f);
    ggml_tensor * mixed = ggml_permute(graph, product(graph, v, scores), 0, 2, 1, 3);
    return linear(graph, block.out, ggml_cont_3d(graph, mixed, d, positions, tiles));
}

/** The class token, then the patches, each with its position embedding: [embedding, positions, tiles]. */
ggml_tensor * Tower::embed_patches(ggml_context * graph, ggml_tensor * patches, int64_t tiles) const {
    const int64_t d = config_.embedding;
    ggml_tensor * kernel = ggml_reshape_2d(graph, patch_kernel_, patches->ne[0], d);
    ggml_tensor * embedded = ggml_reshape_3d(graph, product(graph, kernel, patches), d, config_.patches(), tiles);
    ggml_tensor * classes = ggml_repeat_4d(graph, class_token_, d, 1, tiles, 1);
    return ggml_add(graph, ggml_concat(graph, classes, embedded, 1), positions_);
}

/** The patches' grid of each tile pooled: x [width, patches, tiles] to [width, pooled patches, tiles]. */
ggml_tensor * Tower::pool(ggml_context * graph, const Pooling & pooling, ggml_tensor * x) const {
    const int64_t width = x->ne[0];
    const int64_t tiles = x->ne[2];
    const int side = config_.geometry.patches_per_side();
    const int pooled = pooled_side(config_.geometry, pooling);
    // ggml pools and scales images, whose columns lie next to each other.
    ggml_tensor * grid =
        ggml_reshape_4d(graph, ggml_cont(graph, ggml_permute(graph, x, 1, 0, 2, 3)), side, side, width, tiles);
    if (pooling.mode == PoolMode::bilinear) {
        grid = ggml_interpolate(graph, grid, pooled, pooled, width, tiles, GGML_SCALE_MODE_BILINEAR);
    } else {
        const ggml_op_pool operation = pooling.mode == PoolMode::max ? GGML_OP_POOL_MAX : GGML_OP_POOL_AVG;
        const int stride = pooling.stride;
        grid = ggml_pool_2d(graph, grid, operation, stride, stride, stride, stride, 0, 0);
    }
    ggml_tensor * rows = ggml_reshape_3d(graph, grid, static_cast<int64_t>(pooled) * pooled, width, tiles);
    return ggml_cont(graph, ggml_permute(graph, rows, 1, 0, 2, 3));
}

/** The MLP between tower and language model. */
ggml_tensor * Tower::project(ggml_context * graph, ggml_tensor * x) const {
    return linear(graph, project2_, ggml_gelu_erf(graph, linear(graph, project1_, x)));
}

size_t Tower::graph_nodes() const { return 64 + NODES_PER_BLOCK * blocks_.size(); }

void Tower::plan(int tiles, const Pooling & pooling) {
    if (planned_tiles_ == tiles && same_features(planned_pooling_, pooling)) {
        return;
    }
    planned_tiles_ = 0;
    const size_t nodes = graph_nodes();
    graph_memory_.reset(ggml_init(
        {nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(nodes, false), nullptr, /*no_alloc =*/true}));
    ggml_context * graph = graph_memory_.get();

    const int64_t patch = config_.geometry.patch_size;
    patches_ =
        ggml_new_tensor_2d(graph, GGML_TYPE_F32, 3 * patch * patch, static_cast<int64_t>(config_.patches()) * tiles);
    ggml_set_input(patches_);

    ggml_tensor * x = norm(graph, pre_norm_, embed_patches(graph, patches_, tiles));
    for (const Block & block : blocks_) {
        x = ggml_add(graph, x, attention(graph, block, norm(graph, block.ln1, x)));
        ggml_tensor * hidden = ggml_gelu_quick_inplace(graph, linear(graph, block.fc1, norm(graph, block.ln2, x)));
        x = ggml_add(graph, x, linear(graph, block.fc2, hidden));
    }
    // No final norm; the class token, which stands first, is left out.
    x = ggml_cont(graph, ggml_view_3d(graph, x, x->ne[0], config_.patches(), tiles, x->nb[1], x->nb[2], x->nb[1]));
    if (pooling.pools() && pooling.before_projector) {
        x = pool(graph, pooling, x);
    }
    features_ = project(graph, x);
    if (pooling.pools() && !pooling.before_projector) {
        features_ = pool(graph, pooling, features_);
    }
    ggml_set_output(features_);

    graph_ = ggml_new_graph_custom(graph, nodes, false);
    ggml_build_forward_expand(graph_, features_);
    ggml_backend_sched_reset(scheduler_.get());
    if (!ggml_backend_sched_alloc_graph(scheduler_.get(), graph_)) {
        throw Error("out_of_memory", "There is not enough memory on " +
                                         std::string(ggml_backend_name(backends_.front().get())) +
                                         " for the vision tower's activations of " + std::to_string(tiles) + " tiles");
    }
    planned_tiles_ = tiles;
    planned_pooling_ = pooling;
}

/** Fills patch_values_: bytes become normalised values, each patch in the order of the kernel's rows (channel, y, x).
 */
void Tower::fill_patches(const TowerInput * inputs, int count) {
    const int patch = config_.geometry.patch_size;
    const int side = config_.geometry.patches_per_side();
    const int row_bytes = 3 * config_.geometry.tile_size;
    patch_values_.resize(ggml_nelements(patches_));
    float * out = patch_values_.data();
    for (int tile = 0; tile < count; tile++) {
        for (int index = 0; index < side * side; index++) {
            const uint8_t * corner =
                inputs[tile].pixels + (index / side) * patch * row_bytes + (index % side) * patch * 3;
            for (int channel = 0; channel < 3; channel++) {
                const float * values = normalised_.data() + channel * 256;
                for (int y = 0; y < patch; y++) {
                    const uint8_t * pixel = corner + y * row_bytes + channel;
                    for (int x = 0; x < patch; x++, pixel += 3) {
                        *out++ = values[*pixel];
                    }
                }
            }
        }
    }
}

void Tower::encode_batch(const TowerInput * inputs, int count) {
    plan(count, inputs->pooling);
    fill_patches(inputs, count);
    ggml_backend_tensor_set(patches_, patch_values_.data(), 0, ggml_nbytes(patches_));
    const ggml_status status = ggml_backend_sched_graph_compute(scheduler_.get(), graph_);
    if (status == GGML_STATUS_ABORTED || aborted_) {
        throw Error("aborted", "The work was cancelled");
    }
    if (status != GGML_STATUS_SUCCESS) {
        throw Error("engine_error", std::string("The vision tower failed on ") +
                                        ggml_backend_name(backends_.front().get()) + " (" +
                                        ggml_status_to_string(status) + ")");
    }
    const size_t tile_bytes = ggml_nbytes(features_) / count;
    for (int i = 0; i < count; i++) {
        ggml_backend_tensor_get(features_, inputs[i].features, i * tile_bytes, tile_bytes);
    }
}

void Tower::encode(const std::vector<TowerInput> & inputs) {
    // One graph pools all its tiles alike.
    for (size_t first = 0, end = 0; first < inputs.size(); first = end) {
        while (end < inputs.size() && end - first < static_cast<size_t>(max_tiles_) &&
               same_features(inputs[end].pooling, inputs[first].pooling)) {
            end++;
        }
        encode_batch(inputs.data() + first, static_cast<int>(end - first));
    }
}

}   // namespace vcap::llava
