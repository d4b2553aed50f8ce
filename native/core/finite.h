#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vcap {

/** Whether none of the numbers is an infinity or a NaN. */
inline bool all_finite(const float * values, size_t count) {
    constexpr uint32_t EXPONENT = 0x7f800000;   // all its bits are set in an infinity and in a NaN
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        std::memcpy(&bits, values + i, sizeof(bits));
        found |= (bits & EXPONENT) == EXPONENT;   // without a branch, so that the compiler vectorises the loop
    }
    return found == 0;
}

}   // namespace vcap
