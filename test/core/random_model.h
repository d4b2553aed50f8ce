#pragma once

#include <random>

#include "gguf_bytes.h"

// Language models of a few kilobytes, and what can be wrong with them.
namespace random_model {

/** A random number below `limit`. */
inline uint64_t below(std::mt19937 & random, uint64_t limit) { return (uint64_t{random()} << 32 | random()) % limit; }

/** One of the values. */
template <typename T>
T pick(std::mt19937 & random, std::initializer_list<T> values) {
    return values.begin()[below(random, values.size())];
}

/** A model that can be loaded, of random architecture, tokenizer, sizes, types and optional parts. */
gguf_bytes::File make(std::mt19937 & random);

/** Makes it the first of two parts and returns the second, with the tensors from a random one on. */
gguf_bytes::File split(gguf_bytes::File & file, std::mt19937 & random);

/** Makes one thing of it wrong, or odd. */
void mutate(gguf_bytes::File & file, std::mt19937 & random);

/** Overwrites some bytes of a file's header, or cuts the file off. */
void mutate_bytes(std::string & bytes, size_t header, std::mt19937 & random);

}   // namespace random_model
