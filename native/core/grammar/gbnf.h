#pragma once

#include <memory>
#include <string>

#include "core/grammar/grammar.h"

namespace vcap {

/**
 * Reads a grammar in GBNF, llama.cpp's notation: `name ::= …` for each rule, of which `root` is a whole text; literals
 * in quotes, sets in brackets, `.`, groups, `|`, `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}`, and comments behind `#`. Tokens
 * (`<…>`) are not taken: a grammar is of text here. Throws usage, with the line at fault.
 */
std::shared_ptr<const Grammar> parse_gbnf(const std::string & text);

}   // namespace vcap
