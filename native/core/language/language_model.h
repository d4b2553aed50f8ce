#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/cpu_threads.h"
#include "core/file_watch.h"
#include "core/gguf_file.h"
#include "core/language/device_choice.h"
#include "core/language/token_embeddings.h"
#include "core/language/token_texts.h"
#include "core/language/tokenizer.h"
#include "ggml-backend.h"
#include "llama.h"

namespace vcap {

struct LanguageModelOptions {
    std::vector<ggml_backend_dev_t> devices;   // that hold the weights and the KV cache; empty: the CPU
    bool split_tensors = false;                // several devices: true splits each tensor, false deals out whole layers
    std::vector<float> shares;                 // how much each device gets, in any unit; empty: llama.cpp's choice
    int sequences = 1;                         // captions at once, each of which has a KV stream
    int context = 0;                           // positions of each sequence; 0: what the model was trained on
    ggml_type kv_type = GGML_TYPE_F16;         // type of the keys and values in the KV cache
    ChatTemplate chat;                         // also decides how the tokenizer is set up
    bool map = true;                           // whether weights stay in the file, mapped, where the device allows it
};

/**
 * The input of one LanguageModel::decode(): rows, each an input embedding that stands at a position of a sequence.
 * llama.cpp, whose llama_batch this wraps, calls a row a token; here it may as well be an image feature. One thread at
 * a time.
 */
class Batch {
public:
    /** Room for `capacity` rows of `width` numbers each, which is the model's embedding width. */
    Batch(int capacity, int width);
    ~Batch();
    Batch(const Batch &) = delete;
    Batch & operator=(const Batch &) = delete;

    /** Removes all rows. */
    void clear() { batch_.n_tokens = 0; }
    /** Rows added since the last clear(). */
    int size() const { return batch_.n_tokens; }
    /** Rows that fit. */
    int capacity() const { return capacity_; }
    /**
     * Adds a row, for which the caller sees that there is room, and returns where to write its embedding, [width].
     * `sequence` and `position` count from 0. `wants_logits`: whether decode() computes the logits behind this row.
     */
    float * add(int sequence, int position, bool wants_logits);
    const llama_batch & get() const { return batch_; }

private:
    llama_batch batch_;
    int capacity_;
    int width_;
};

/** What LanguageModel::decode() leaves of one row. */
struct RowOutput {
    const float * logits;    // [vocabulary], valid until the next decode(); null where a device has chosen the token
    llama_token likeliest;   // the token of the greatest logit, where a device has chosen it
    bool finite;             // whether all logits are finite numbers
};

/**
 * A llama.cpp model, loaded onto its devices, with one context whose KV cache holds `sequences` independent streams.
 * decode(), output(), want_logits(), forget() and clear() are for one thread, the engine's; the other methods may be
 * called from any thread.
 */
class LanguageModel {
public:
    /**
     * Loads a model, given as all its parts, whose headers read_model_facts() has checked. `progress` is called on this
     * thread with the fraction loaded, 0 to 1, and returns whether to go on. `threads` must outlive the model. Throws
     * model_invalid, usage where the model cannot keep keys and values in options.kv_type, out_of_memory, and aborted
     * where `progress` returned false.
     */
    LanguageModel(const std::vector<std::shared_ptr<const GgufFile>> & files, const LanguageModelOptions & options,
                  const CpuThreads & threads, const std::function<bool(float)> & progress);
    ~LanguageModel();
    LanguageModel(const LanguageModel &) = delete;
    LanguageModel & operator=(const LanguageModel &) = delete;

    const Tokenizer & tokenizer() const { return *tokenizer_; }
    /** The tokens by their texts; built when they are first asked for. */
    const TokenTexts & token_texts() const;
    const TokenEmbeddings & embeddings() const { return *embeddings_; }
    /** Embedding width: numbers of one embedding. */
    int width() const { return embeddings_->width(); }
    /** Tokens in the vocabulary. */
    int vocabulary() const { return llama_vocab_n_tokens(llama_model_get_vocab(model_.get())); }
    int sequences() const { return sequences_; }
    /** Positions of each sequence. */
    int context() const { return context_per_sequence_; }
    /** Rows that one decode() takes at most. */
    int batch_capacity() const { return static_cast<int>(llama_n_batch(context_.get())); }

    /** What llama.cpp warned of while it loaded the model, for people. */
    const std::vector<std::string> & warnings() const { return warnings_; }

    /**
     * Runs the model on the batch's rows. Throws engine_error, also where a mapped file of the model changed, or
     * aborted after abort().
     */
    void decode(const Batch & batch);
    /**
     * Says whether the next outputs of a sequence are its logits. Where they are not, and the devices can do it, each
     * is the likeliest token, chosen where the logits are computed: of each row 8 bytes come back instead of 4 ·
     * vocabulary. Costs some milliseconds where it changes what the sequence had before.
     */
    void want_logits(int sequence, bool wanted);
    /** The output of the last decode()'s row `row` of `sequence`, which was added with wants_logits. */
    RowOutput output(int row, int sequence) const;
    /**
     * Removes the positions of a sequence from `from` on from the KV cache and returns true. Where the model's memory
     * cannot drop a part of a sequence, removes all its positions and returns false.
     */
    bool forget(int sequence, int from);
    /** Empties the whole KV cache and overwrites what it held. */
    void clear();

    /** Makes a decode() that is under way, and every later one, throw aborted soon. For good. */
    void abort() { aborted_ = true; }

private:
    struct ModelDeleter {
        void operator()(llama_model * model) const { llama_model_free(model); }
    };
    struct ContextDeleter {
        void operator()(llama_context * context) const { llama_free(context); }
    };

    // The constructor's three steps, in this order.
    void load_model(const std::vector<std::shared_ptr<const GgufFile>> & files, const LanguageModelOptions & options,
                    const std::function<bool(float)> & progress);
    llama_context_params choose_context(const GgufFile & file, const LanguageModelOptions & options);
    void open_context(llama_context_params params, const CpuThreads & threads);
    /** Whether the likeliest token is chosen where the logits are computed. */
    bool chooses_on_device(int sequence) const { return !choosers_.empty() && choosers_[sequence] != nullptr; }

    FileWatch watch_;   // goes last, since it guards the mappings
    std::unique_ptr<llama_model, ModelDeleter> model_;
    std::vector<SamplerPtr> choosers_;   // [sequences], null where logits are wanted; empty where no device can choose
    std::unique_ptr<llama_context, ContextDeleter> context_;
    std::unique_ptr<TokenEmbeddings> embeddings_;
    std::unique_ptr<Tokenizer> tokenizer_;
    mutable std::once_flag token_texts_built_;
    mutable std::unique_ptr<TokenTexts> token_texts_;
    std::vector<std::string> warnings_;
    int sequences_;
    int context_per_sequence_ = 0;   // positions
    std::atomic<bool> aborted_{false};
};

}   // namespace vcap
