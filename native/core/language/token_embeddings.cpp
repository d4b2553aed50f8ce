#include "core/language/token_embeddings.h"

#include <cstring>

namespace vcap {

TokenEmbeddings::TokenEmbeddings(const std::vector<std::shared_ptr<const GgufFile>> & files, int width, bool map)
    : width_(width) {
    const std::string name = "token_embd.weight";
    for (const std::shared_ptr<const GgufFile> & file : files) {
        const ggml_tensor * tensor = file->find_tensor(name);
        if (tensor == nullptr) {
            continue;
        }
        if (map) {
            mapping_ = file->map_tensor(tensor);
        } else {
            memory_ = file->read_tensor(tensor);
        }
        data_ = map ? mapping_.data() : memory_.data();
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
