#include "core/language/token_embeddings.h"

#include <cstring>

namespace vcap {

TokenEmbeddings::TokenEmbeddings(const std::vector<std::shared_ptr<const GgufFile>> & files, int width, int vocabulary)
    : width_(width) {
    const std::string name = "token_embd.weight";
    for (const std::shared_ptr<const GgufFile> & file : files) {
        const ggml_tensor * tensor = file->find_tensor(name);
        if (tensor == nullptr) {
            continue;
        }
        if (tensor->ne[0] != width || tensor->ne[1] < vocabulary || tensor->ne[2] != 1 || tensor->ne[3] != 1) {
            file->invalid("tensor " + name + " is not " + std::to_string(width) + " x " + std::to_string(vocabulary) +
                          ", the embedding width and the vocabulary");
        }
        if (tensor->type != GGML_TYPE_F32 && ggml_get_type_traits(tensor->type)->to_float == nullptr) {
            file->invalid("tensor " + name + " has the type " + ggml_type_name(tensor->type) +
                          ", which ggml cannot convert to float32");
        }
        file_ = file;
        data_ = static_cast<const uint8_t *>(file->tensor_data(tensor));
        type_ = tensor->type;
        row_bytes_ = ggml_row_size(tensor->type, width);
        return;
    }
    files.front()->invalid("tensor " + name + " is missing");
}

void TokenEmbeddings::copy_row(llama_token token, float * row) const {
    const uint8_t * stored = data_ + static_cast<size_t>(token) * row_bytes_;
    if (type_ == GGML_TYPE_F32) {
        std::memcpy(row, stored, row_bytes_);
    } else {
        ggml_get_type_traits(type_)->to_float(stored, row, width_);
    }
}

}   // namespace vcap
