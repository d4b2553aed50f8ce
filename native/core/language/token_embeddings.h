#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "llama.h"

namespace vcap {

/**
 * Rows of the token-embedding matrix as floats. A llama_batch takes token ids or embeddings,
 * never both; with the tokens' embeddings in hand, text, image features and the next tokens
 * of running captions share every batch.
 */
class TokenEmbeddings {
public:
    /** `files`: the model's parts. Throws model_invalid where the matrix is missing or misshapen. */
    TokenEmbeddings(const std::vector<std::shared_ptr<const GgufFile>> & files, int width, int vocabulary);

    int width() const { return width_; }
    /** Writes the embedding of `token` into row[width]. */
    void copy_row(llama_token token, float * row) const;

private:
    std::shared_ptr<const GgufFile> file_;   // keeps the mapping alive
    const uint8_t * data_ = nullptr;
    ggml_type type_ = GGML_TYPE_F32;
    size_t row_bytes_ = 0;
    int width_;
};

}   // namespace vcap
