#include "core/language/language_model.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/error.h"
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

llama_model_kv_override override_bool(const char * key, bool value) {
    llama_model_kv_override entry{};
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
    std::strncpy(entry.key, key, sizeof(entry.key) - 1);
    entry.val_bool = value;
    return entry;
}

/**
 * Tokenizer settings for a file that lacks them. Where a SentencePiece file says nothing, llama.cpp puts a BOS token
 * and a space before the text. Yi, which LLaVA-1.6-34B grew from and whose template is chatml_direct, was trained with
 * neither. Ends with llama.cpp's end mark, an entry with an empty key.
 */
std::vector<llama_model_kv_override> tokenizer_overrides(const GgufFile & file, const std::string & chat_template) {
    std::vector<llama_model_kv_override> overrides;
    if (chat_template == "chatml_direct" && file.find_string("tokenizer.ggml.model") == "llama") {
        for (const char * key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix"}) {
            if (!file.has(key)) {
                overrides.push_back(override_bool(key, false));
            }
        }
    }
    overrides.push_back({});
    return overrides;
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
    : sequences_(options.sequences) {
    load_model(files, options, progress);
    const llama_context_params params = choose_context(options);
    open_context(params, threads);
}

/** Loads the weights onto the devices, and finds the token embeddings and <|im_end|>. Throws model_invalid, aborted. */
void LanguageModel::load_model(const std::vector<std::shared_ptr<const GgufFile>> & files,
                               const LanguageModelOptions & options, const std::function<bool(float)> & progress) {
    const GgufFile & file = *files.front();
    std::vector<ggml_backend_dev_t> devices = options.devices;
    devices.push_back(nullptr);   // llama.cpp's end mark
    const std::vector<llama_model_kv_override> overrides = tokenizer_overrides(file, options.chat_template);
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
    params.kv_overrides = overrides.data();
    // ggml's CPU backend would repack the weights into a copy that our kernels cannot read; they stay as in the file.
    params.use_extra_bufts = false;
    params.progress_callback = [](float fraction, void * data) {
        Progress & to = *static_cast<Progress *>(data);
        to.cancelled = !to.report(fraction);
        return !to.cancelled;
    };
    params.progress_callback_user_data = &state;

    take_last_error();
    model_.reset(llama_model_load_from_file(file.path().c_str(), params));
    if (state.cancelled) {
        throw Error("aborted", "Loading " + file.path() + " was cancelled");
    }
    if (model_ == nullptr) {
        const std::string reason = take_last_error();
        file.invalid("llama.cpp could not load it" + (reason.empty() ? "" : " (" + reason + ")"));
    }
    embeddings_ = std::make_unique<TokenEmbeddings>(files, llama_model_n_embd(model_.get()), vocabulary());
    const std::optional<int64_t> im_end = file.find_string_index("tokenizer.ggml.tokens", "<|im_end|>");
    im_end_ = im_end ? static_cast<llama_token>(*im_end) : LLAMA_TOKEN_NULL;
}

/** Decides on the positions of each sequence and on the KV cache's type and layout. Throws usage. */
llama_context_params LanguageModel::choose_context(const LanguageModelOptions & options) {
    const int head_width = llama_model_n_embd(model_.get()) / llama_model_n_head(model_.get());
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
    params.n_ctx = positions * static_cast<uint32_t>(sequences_);
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
    take_last_error();
    context_.reset(llama_init_from_model(model_.get(), params));
    if (context_ == nullptr) {
        const std::string reason = take_last_error();
        throw Error("out_of_memory", "There is not enough memory for " + std::to_string(sequences_) +
                                         " captions at once of " + std::to_string(context_per_sequence_) +
                                         " positions each" + (reason.empty() ? "" : " (" + reason + ")") +
                                         ". Ask for fewer captions at once or a shorter context");
    }
    llama_attach_threadpool(context_.get(), threads.pool(), threads.pool());
}

LanguageModel::~LanguageModel() = default;

void LanguageModel::decode(const Batch & batch) {
    take_last_error();
    const int32_t status = llama_decode(context_.get(), batch.get());
    if (status == 2 || aborted_) {   // 2: the abort callback returned true
        throw Error("aborted", "The work was cancelled");
    }
    if (status != 0) {
        const std::string reason = take_last_error();
        throw Error("engine_error", "llama.cpp failed to decode a batch of " + std::to_string(batch.size()) +
                                        " rows (status " + std::to_string(status) +
                                        (reason.empty() ? "" : ": " + reason) + ")");
    }
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

// Every chat template that uses <|im_end|> ends an answer with it, even where a file does not mark it as the end of
// generation.
bool LanguageModel::ends(llama_token token) const { return token == im_end_ || llama_vocab_is_eog(vocab(), token); }

std::string LanguageModel::piece(llama_token token) const {
    std::string text(64, '\0');
    int32_t length = llama_token_to_piece(vocab(), token, text.data(), static_cast<int32_t>(text.size()), 0, false);
    if (length < 0) {
        text.resize(-length);
        length = llama_token_to_piece(vocab(), token, text.data(), static_cast<int32_t>(text.size()), 0, false);
    }
    text.resize(std::max(length, 0));
    return text;
}

}   // namespace vcap
