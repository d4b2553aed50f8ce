#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "llama.h"

namespace vcap {

/**
 * The rows of a language model's token-embedding matrix, as float32. A llama_batch takes token ids or embeddings, never
 * both. With the embeddings of tokens in hand, text, image features and the next tokens of running captions share every
 * batch. May be called from any thread.
 */
class TokenEmbeddings {
public:
    /**
     * Looks the matrix up in the model's parts, which check_tensors() has checked. `width`: embedding width; `map`:
     * whether it stays in the file, mapped, instead of being read into memory. Throws model_invalid.
     */
    TokenEmbeddings(const std::vector<std::shared_ptr<const GgufFile>> & files, int width, bool map);

    /** Embedding width: numbers of one row. */
    int width() const { return width_; }
    /** Writes the embedding of `token`, which must be in the vocabulary, into `row`, [width]. */
    void copy_row(llama_token token, float * row) const;

private:
    FileMapping mapping_;              // of the matrix as stored, row after row; unused where it is in memory
    std::vector<uint8_t> memory_;      // the same in memory
    const uint8_t * data_ = nullptr;   // in one of the two
    ggml_type type_ = GGML_TYPE_F32;
    size_t row_bytes_ = 0;
    int width_;
};

}   // namespace vcap
