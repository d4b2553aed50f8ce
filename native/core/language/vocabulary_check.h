#pragma once

#include "core/gguf_file.h"

namespace vcap {

/**
 * Checks the tokenizer in a model's first file before llama.cpp reads it, which asserts that no two tokens are equal
 * and ends the process otherwise, and finds only in a row's text that a byte has no token. Throws model_invalid with
 * the key, what it has and what is expected.
 */
void check_vocabulary(const GgufFile & file);

}   // namespace vcap
