#include "core/language/language_model.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/cuda_gpus.h"
#include "core/error.h"
#include "core/finite.h"
#include "core/language/hyperparameters.h"
#include "core/log.h"

namespace vcap {
namespace {

// Rows that one llama_decode takes at most: enough to fill the matrix kernels, and few enough that a batch with a long
// prompt holds up the captions that share it only briefly. A GPU reads all weights for each batch and needs more rows
// until that no longer counts (docs/cuda.md).
constexpr int CPU_BATCH_ROWS = 512;
constexpr int GPU_BATCH_ROWS = 2048;
// The most positions that a sequence gets where the model's header decides, since a damaged header may state billions.
constexpr int64_t MAX_TRAINED_CONTEXT = 1 << 20;
// llama.cpp rounds the positions of a sequence up to a multiple of this number.
constexpr uint32_t CONTEXT_STEP = 256;

/** Whether the cause of a failed load is that memory was not to be had. */
bool is_shortage(const std::string & cause) {
    for (const char * part : {"bad_alloc", "allocate", "out of memory", "insufficient memory"}) {
        if (cause.find(part) != std::string::npos) {
            return true;
        }
    }
    return false;
}

}   // namespace

Batch::Batch(int capacity, int width)
    : batch_(llama_batch_init(capacity, width, 1)), capacity_(capacity), width_(width) {}

Batch::~Batch() { llama_batch_free(batch_); }

float * Batch::add(int sequence, int position, bool wants_logits) {
    const int row = batch_.n_tokens++;
    batch_.pos[row] = position;
    batch_.n_seq_id[row] = 1;
    batch_.seq_id[row][0] = sequence;
    batch_.logits[row] = wants_logits ? 1 : 0;
    return batch_.embd + static_cast<size_t>(row) * width_;
}

LanguageModel::LanguageModel(const std::vector<std::shared_ptr<const GgufFile>> & files,
                             const LanguageModelOptions & options, const CpuThreads & threads,
                             const std::function<bool(float)> & progress)
    : watch_(files, options.map), sequences_(options.sequences) {
    load_model(files, options, progress);
    watch_.require_as_opened();
    const llama_context_params params = choose_context(*files.front(), options);
    // llama.cpp cannot where tensors are split, since each device then has a part of the logits.
    if (!options.split_tensors && can_choose_on(options.devices, vocabulary())) {
        choosers_.resize(sequences_);
    }
    open_context(params, threads);
}

/** Loads the weights onto the devices and opens the token embeddings and the tokenizer. Throws model_invalid, aborted.
 */
void LanguageModel::load_model(const std::vector<std::shared_ptr<const GgufFile>> & files,
                               const LanguageModelOptions & options, const std::function<bool(float)> & progress) {
    const GgufFile & file = *files.front();
    std::vector<ggml_backend_dev_t> devices = options.devices;
    devices.push_back(nullptr);   // llama.cpp's end mark
    std::vector<float> shares = options.shares;
    shares.resize(llama_max_devices());   // llama.cpp reads so many
    const std::vector<llama_model_kv_override> overrides = tokenizer_overrides(file, options.chat);
    struct Progress {
        const std::function<bool(float)> & report;
        bool cancelled;
    } state{progress, false};

    llama_model_params params = llama_model_default_params();
    params.devices = devices.data();
    params.n_gpu_layers = options.devices.empty() ? 0 : -1;   // -1: all layers
    params.split_mode = options.devices.size() < 2 ? LLAMA_SPLIT_MODE_NONE
                        : options.split_tensors    ? LLAMA_SPLIT_MODE_TENSOR
                                                   : LLAMA_SPLIT_MODE_LAYER;
    if (!options.shares.empty()) {
        params.tensor_split = shares.data();
    }
    params.kv_overrides = overrides.data();
    // ggml's CPU backend would repack the weights into a copy that our kernels cannot read; they stay as in the file.
    params.use_extra_bufts = false;
    params.load_mode = options.map ? LLAMA_LOAD_MODE_AUTO : LLAMA_LOAD_MODE_NONE;
    params.progress_callback = [](float fraction, void * data) {
        Progress & to = *static_cast<Progress *>(data);
        to.cancelled = !to.report(fraction);
        return !to.cancelled;
    };
    params.progress_callback_user_data = &state;

    const LogCapture log;
    model_.reset(llama_model_load_from_file(file.path().c_str(), params));
    if (state.cancelled) {
        throw Error("aborted", "Loading " + file.path() + " was cancelled");
    }
    if (model_ == nullptr) {
        if (is_shortage(log.cause())) {
            throw Error("out_of_memory", file.path() + ": there is not enough memory for its weights" + log.reason());
        }
        file.invalid("llama.cpp could not load it" + log.reason());
    }
    warnings_ = log.warnings();
    if (const std::string slow = why_slow_sums(options.devices); options.split_tensors && !slow.empty()) {
        warnings_.push_back(slow);
    }
    embeddings_ = std::make_unique<TokenEmbeddings>(files, llama_model_n_embd(model_.get()), options.map);
    tokenizer_ = std::make_unique<Tokenizer>(llama_model_get_vocab(model_.get()), file, options.chat);
}

/** Decides on the positions of each sequence and on the KV cache's type and layout. Throws usage. */
llama_context_params LanguageModel::choose_context(const GgufFile & file, const LanguageModelOptions & options) {
    const int64_t head_width = read_hyperparameters(file).head_width;
    const int64_t block = ggml_blck_size(options.kv_type);
    if (head_width % block != 0) {
        throw Error("usage", std::string("Keys and values of this model cannot be kept as ") +
                                 ggml_type_name(options.kv_type) + ": its attention heads have " +
                                 std::to_string(head_width) + " values each, no multiple of " + std::to_string(block));
    }
    const int64_t trained = llama_model_n_ctx_train(model_.get());
    context_per_sequence_ =
        options.context > 0 ? options.context : static_cast<int>(std::min(trained, MAX_TRAINED_CONTEXT));

    llama_context_params params = llama_context_default_params();
    // One KV stream for each sequence: attention then reads the positions of its own sequence alone.
    params.kv_unified = false;
    // llama.cpp divides n_ctx by the sequences; whole steps keep its rounding from changing what each of them gets.
    const uint32_t positions =
        (static_cast<uint32_t>(context_per_sequence_) + CONTEXT_STEP - 1) / CONTEXT_STEP * CONTEXT_STEP;
    const uint64_t all_positions = uint64_t{positions} * static_cast<uint64_t>(sequences_);
    if (all_positions > INT32_MAX) {
        throw Error("out_of_memory", std::to_string(sequences_) + " captions at once of " +
                                         std::to_string(context_per_sequence_) + " positions each need " +
                                         std::to_string(all_positions) + " positions, more than the " +
                                         std::to_string(INT32_MAX) + " that llama.cpp counts. Ask for fewer captions " +
                                         "at once or a shorter context");
    }
    params.n_ctx = static_cast<uint32_t>(all_positions);
    params.n_seq_max = static_cast<uint32_t>(sequences_);
    const int batch_rows = options.devices.empty() ? CPU_BATCH_ROWS : GPU_BATCH_ROWS;
    params.n_batch = batch_rows;
    params.n_ubatch = batch_rows;
    // A batch asks for the output of one row of each sequence at most.
    params.n_outputs_max = static_cast<uint32_t>(std::min(sequences_, batch_rows));
    params.n_outputs_max_per_seq = 1;
    params.type_k = options.kv_type;
    params.type_v = options.kv_type;
    // Flash attention would round an F32 cache to half precision. On the CPU alone it is always available, but
    // llama.cpp's automatic choice would leave it off, because our kernels' device is not the device of the layers.
    params.flash_attn_type = options.kv_type == GGML_TYPE_F32 ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                             : options.devices.empty()        ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                              : LLAMA_FLASH_ATTN_TYPE_AUTO;
    return params;
}

/** Allocates the KV cache and the compute buffers. Throws out_of_memory. */
void LanguageModel::open_context(llama_context_params params, const CpuThreads & threads) {
    std::vector<llama_sampler_seq_config> choosers;
    for (size_t sequence = 0; sequence < choosers_.size(); sequence++) {
        choosers_[sequence] = likeliest_on_device();
        choosers.push_back({static_cast<llama_seq_id>(sequence), choosers_[sequence].get()});
    }
    params.samplers = choosers.data();
    params.n_samplers = choosers.size();
    params.n_threads = threads.count();
    params.n_threads_batch = threads.count();
    params.no_perf = true;
    params.abort_callback = [](void * flag) { return static_cast<std::atomic<bool> *>(flag)->load(); };
    params.abort_callback_data = &aborted_;
    const LogCapture log;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (context_ == nullptr) {
        throw Error("out_of_memory", "There is not enough memory for " + std::to_string(sequences_) +
                                         " captions at once of " + std::to_string(context_per_sequence_) +
                                         " positions each" + log.reason() +
                                         ". Ask for fewer captions at once or a shorter context");
    }
    llama_attach_threadpool(context_.get(), threads.pool(), threads.pool());
}

const TokenTexts & LanguageModel::token_texts() const {
    std::call_once(token_texts_built_,
                   [this] { token_texts_ = std::make_unique<TokenTexts>(*tokenizer_, vocabulary()); });
    return *token_texts_;
}

LanguageModel::~LanguageModel() = default;

void LanguageModel::decode(const Batch & batch) {
    watch_.require_unchanged();
    const LogCapture log;
    const int32_t status = llama_decode(context_.get(), batch.get());
    if (status == 2 || aborted_) {   // 2: the abort callback returned true
        throw Error("aborted", "The work was cancelled");
    }
    if (status != 0) {
        throw Error("engine_error", "llama.cpp failed to decode a batch of " + std::to_string(batch.size()) +
                                        " rows (status " + std::to_string(status) +
                                        (log.cause().empty() ? "" : ": " + log.cause()) + ")");
    }
    watch_.require_unchanged();
}

void LanguageModel::want_logits(int sequence, bool wanted) {
    if (choosers_.empty() || wanted != chooses_on_device(sequence)) {
        return;
    }
    // llama.cpp sets a sampler up once: one that was taken away does not come back.
    SamplerPtr next = wanted ? nullptr : likeliest_on_device();
    llama_set_sampler(context_.get(), sequence, next.get());
    choosers_[sequence] = std::move(next);
}

RowOutput LanguageModel::output(int row, int sequence) const {
    if (chooses_on_device(sequence)) {
        const float * sum = llama_get_sampled_probs_ith(context_.get(), row);
        const llama_token token = llama_get_sampled_token_ith(context_.get(), row);
        return {nullptr, token, sum != nullptr && all_finite(sum, 1) && token >= 0 && token < vocabulary()};
    }
    const float * logits = llama_get_logits_ith(context_.get(), row);
    return {logits, LLAMA_TOKEN_NULL, all_finite(logits, static_cast<size_t>(vocabulary()))};
}

bool LanguageModel::forget(int sequence, int from) {
    llama_memory_t memory = llama_get_memory(context_.get());
    if (llama_memory_seq_rm(memory, sequence, from, -1)) {
        return true;
    }
    llama_memory_seq_rm(memory, sequence, -1, -1);   // all positions, which never fails
    return false;
}

void LanguageModel::clear() { llama_memory_clear(llama_get_memory(context_.get()), /*data =*/true); }

}   // namespace vcap
