#include "core/language/language_model.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/log.h"

namespace vcap {
namespace {

// Rows that one llama_decode takes: enough to fill the matrix kernels, little enough that a prefill delays running
// captions briefly.
constexpr int BATCH_ROWS = 512;
// Positions a sequence gets where the metadata name an absurd context.
constexpr int64_t MAX_CONTEXT = 1 << 20;

llama_model_kv_override override_bool(const char * key, bool value) {
    llama_model_kv_override entry{};
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
    std::strncpy(entry.key, key, sizeof(entry.key) - 1);
    entry.val_bool = value;
    return entry;
}

/**
 * What the file leaves open about its tokenizer. llama.cpp's defaults for sentencepiece are a
 * BOS and a leading space; Yi, which LLaVA-1.6-34B grew from, was trained with neither.
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
    overrides.push_back({});   // llama.cpp's end mark: an empty key
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
    : files_(files), sequences_(options.sequences) {
    const std::string & path = file().path();

    std::vector<ggml_backend_dev_t> devices = options.devices;
    devices.push_back(nullptr);
    const std::vector<llama_model_kv_override> overrides = tokenizer_overrides(file(), options.chat_template);
    bool cancelled = false;
    struct Progress {
        const std::function<bool(float)> & report;
        bool & cancelled;
    } reporter{progress, cancelled};

    llama_model_params model_params = llama_model_default_params();
    model_params.devices = devices.data();
    model_params.n_gpu_layers = options.devices.empty() ? 0 : -1;
    model_params.split_mode = options.devices.size() < 2 ? LLAMA_SPLIT_MODE_NONE
                              : options.split_tensors    ? LLAMA_SPLIT_MODE_TENSOR
                                                         : LLAMA_SPLIT_MODE_LAYER;
    model_params.kv_overrides = overrides.data();
    // Weights stay as they are in the file: what ggml's CPU backend repacks is a copy in memory that our kernels cannot
    // read.
    model_params.use_extra_bufts = false;
    model_params.progress_callback = [](float fraction, void * data) {
        Progress & to = *static_cast<Progress *>(data);
        to.cancelled = !to.report(fraction);
        return !to.cancelled;
    };
    model_params.progress_callback_user_data = &reporter;

    take_last_error();
    model_.reset(llama_model_load_from_file(path.c_str(), model_params));
    if (cancelled) {
        throw Error("aborted", "Loading " + path + " was cancelled.");
    }
    if (model_ == nullptr) {
        const std::string reason = take_last_error();
        file().invalid("llama.cpp could not load it" + (reason.empty() ? "" : " (" + reason + ")"));
    }
    embeddings_ = std::make_unique<TokenEmbeddings>(files_, llama_model_n_embd(model_.get()), vocabulary());

    const int head = llama_model_n_embd(model_.get()) / llama_model_n_head(model_.get());
    if (head % ggml_blck_size(options.kv_type) != 0) {
        throw Error("usage", std::string("Keys and values of this model cannot be kept as ") +
                                 ggml_type_name(options.kv_type) + ": its heads are " + std::to_string(head) +
                                 " wide.");
    }
    context_per_sequence_ =
        options.context > 0 ? options.context
                            : static_cast<int>(std::min<int64_t>(llama_model_n_ctx_train(model_.get()), MAX_CONTEXT));
    llama_context_params params = llama_context_default_params();
    // llama.cpp rounds a sequence's positions up to 256; asking for whole steps keeps the division among sequences
    // exact.
    const uint32_t rounded = (static_cast<uint32_t>(context_per_sequence_) + 255) / 256 * 256;
    params.n_ctx = rounded * static_cast<uint32_t>(sequences_);
    params.n_batch = BATCH_ROWS;
    params.n_ubatch = BATCH_ROWS;
    params.n_seq_max = static_cast<uint32_t>(sequences_);
    params.n_outputs_max = static_cast<uint32_t>(std::min(sequences_, BATCH_ROWS));
    params.n_threads = threads.count();
    params.n_threads_batch = threads.count();
    params.type_k = options.kv_type;
    params.type_v = options.kv_type;
    // Flash attention would round an F32 cache to half precision. Without other devices it is always there; llama.cpp's
    // own choice would leave it off, because our kernels' device is not the layers'.
    params.flash_attn_type = options.kv_type == GGML_TYPE_F32 ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                             : options.devices.empty()        ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                              : LLAMA_FLASH_ATTN_TYPE_AUTO;
    params.kv_unified = false;   // one KV stream a sequence: attention then reads its own positions alone
    params.no_perf = true;
    params.abort_callback = [](void * flag) { return static_cast<std::atomic<bool> *>(flag)->load(); };
    params.abort_callback_data = &aborted_;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (context_ == nullptr) {
        const std::string reason = take_last_error();
        throw Error("out_of_memory", "There is not enough memory for " + std::to_string(sequences_) + " sequences of " +
                                         std::to_string(context_per_sequence_) + " positions" +
                                         (reason.empty() ? "" : " (" + reason + ")") +
                                         ". Ask for fewer captions in flight (--bs) or a shorter context (--ctx).");
    }
    llama_attach_threadpool(context_.get(), threads.pool(), threads.pool());

    const std::optional<int64_t> im_end = file().find_string_index("tokenizer.ggml.tokens", "<|im_end|>");
    im_end_ = im_end ? static_cast<llama_token>(*im_end) : LLAMA_TOKEN_NULL;
}

LanguageModel::~LanguageModel() = default;

void LanguageModel::decode(const Batch & batch) {
    take_last_error();
    const int32_t status = llama_decode(context_.get(), batch.get());
    if (status == 2 || aborted_) {
        throw Error("aborted", "The work was cancelled.");
    }
    if (status != 0) {
        const std::string reason = take_last_error();
        throw Error("engine_error", "llama.cpp failed to decode a batch of " + std::to_string(batch.size()) +
                                        " (status " + std::to_string(status) + (reason.empty() ? "" : ": " + reason) +
                                        ").");
    }
}

const float * LanguageModel::logits(int row) const { return llama_get_logits_ith(context_.get(), row); }

bool LanguageModel::forget(int sequence, int from) {
    llama_memory_t memory = llama_get_memory(context_.get());
    if (llama_memory_seq_rm(memory, sequence, from, -1)) {
        return true;
    }
    llama_memory_seq_rm(memory, sequence, -1, -1);
    return false;
}

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
