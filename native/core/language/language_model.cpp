#include "core/language/language_model.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "core/language/hyperparameters.h"
#include "core/log.h"

namespace vcap {
namespace {

// Rows that one llama_decode takes at most: enough to fill the matrix kernels, and few enough that a batch with a long
// prompt holds up the captions that share it only briefly.
constexpr int BATCH_ROWS = 512;
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
    params.n_batch = BATCH_ROWS;
    params.n_ubatch = BATCH_ROWS;
    // A batch asks for the logits of one row of each sequence at most.
    params.n_outputs_max = static_cast<uint32_t>(std::min(sequences_, BATCH_ROWS));
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

const float * LanguageModel::logits(int row) const { return llama_get_logits_ith(context_.get(), row); }

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
