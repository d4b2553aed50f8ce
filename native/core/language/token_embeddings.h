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
     * Looks the matrix up in the model's parts. `width`: embedding width; `vocabulary`: the least number of rows.
     * Throws model_invalid where the matrix is missing or has another shape or a type that ggml cannot convert.
     */
    TokenEmbeddings(const std::vector<std::shared_ptr<const GgufFile>> & files, int width, int vocabulary);

    /** Embedding width: numbers of one row. */
    int width() const { return width_; }
    /** Writes the embedding of `token`, which must be in the vocabulary, into `row`, [width]. */
    void copy_row(llama_token token, float * row) const;

private:
    std::shared_ptr<const GgufFile> file_;   // keeps the mapping alive
    const uint8_t * data_ = nullptr;         // the matrix as stored, row after row
    ggml_type type_ = GGML_TYPE_F32;
    size_t row_bytes_ = 0;
    int width_;
};

}   // namespace vcap
