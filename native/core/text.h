#pragma once

#include <algorithm>
#include <cctype>
#include <string>

namespace vcap {

/** A text in lower case; only ASCII letters change. */
inline std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

inline bool contains(const std::string & text, const std::string & part) {
    return text.find(part) != std::string::npos;
}

}   // namespace vcap
