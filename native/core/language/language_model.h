#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/cpu_threads.h"
#include "core/gguf_file.h"
#include "core/language/token_embeddings.h"
#include "ggml-backend.h"
#include "llama.h"

namespace vcap {

struct LanguageModelOptions {
    std::vector<ggml_backend_dev_t> devices;   // empty: the CPU
    bool split_tensors = false;                // across devices: whole layers, or each tensor
    int sequences = 1;                         // captions in flight, each with a KV stream of its own
    int context = 0;                           // positions a sequence; 0: what the model was trained on
    ggml_type kv_type = GGML_TYPE_F16;         // of the keys and values kept
    std::string chat_template;                 // for its tokenizer's defaults
};

/** One row of a batch: an input embedding at a position of a sequence. */
class Batch {
public:
    Batch(int capacity, int width);
    ~Batch();
    Batch(const Batch &) = delete;
    Batch & operator=(const Batch &) = delete;

    void clear() { batch_.n_tokens = 0; }
    int size() const { return batch_.n_tokens; }
    int capacity() const { return capacity_; }
    /** Adds a row and returns where its embedding goes, [width]. */
    float * add(int sequence, int position, bool wants_logits);
    const llama_batch & get() const { return batch_; }

private:
    llama_batch batch_;
    int capacity_;
    int width_;
};

/** A llama.cpp model with its context. */
class LanguageModel {
public:
    /**
     * Loads a model whose headers read_model_facts has checked. `progress` gets 0…1 and says whether to go on.
     * Throws model_invalid, out_of_memory, aborted.
     */
    LanguageModel(const std::vector<std::shared_ptr<const GgufFile>> & files, const LanguageModelOptions & options,
                  const CpuThreads & threads, const std::function<bool(float)> & progress);
    ~LanguageModel();
    LanguageModel(const LanguageModel &) = delete;
    LanguageModel & operator=(const LanguageModel &) = delete;

    const GgufFile & file() const { return *files_.front(); }
    const llama_model * model() const { return model_.get(); }
    const llama_vocab * vocab() const { return llama_model_get_vocab(model_.get()); }
    const TokenEmbeddings & embeddings() const { return *embeddings_; }
    int width() const { return embeddings_->width(); }
    int vocabulary() const { return llama_vocab_n_tokens(vocab()); }
    int sequences() const { return sequences_; }
    int context() const { return context_per_sequence_; }
    int batch_capacity() const { return static_cast<int>(llama_n_batch(context_.get())); }

    /** Runs the batch. Throws engine_error, or aborted after abort(). */
    void decode(const Batch & batch);
    /** Logits of the batch's row `row`, [vocabulary], until the next decode. */
    const float * logits(int row) const;
    /** Empties a sequence's KV stream from a position on. Where that cannot be done, wholly, and returns false. */
    bool forget(int sequence, int from);

    bool ends(llama_token token) const;
    std::string piece(llama_token token) const;

    /** Makes decode() give up soon; from any thread. */
    void abort() { aborted_ = true; }

private:
    struct ModelDeleter {
        void operator()(llama_model * model) const { llama_model_free(model); }
    };
    struct ContextDeleter {
        void operator()(llama_context * context) const { llama_free(context); }
    };

    std::vector<std::shared_ptr<const GgufFile>> files_;
    std::unique_ptr<llama_model, ModelDeleter> model_;
    std::unique_ptr<llama_context, ContextDeleter> context_;
    std::unique_ptr<TokenEmbeddings> embeddings_;
    llama_token im_end_ = LLAMA_TOKEN_NULL;
    int sequences_ = 1;
    int context_per_sequence_ = 0;
    std::atomic<bool> aborted_{false};
};

}   // namespace vcap
