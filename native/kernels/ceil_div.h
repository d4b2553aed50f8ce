#pragma once

#include <cstdint>

namespace vcap::kernels {

/** The quotient rounded up: how many chunks of `chunk` > 0 elements cover `count` >= 0 elements. */
constexpr int64_t ceil_div(int64_t count, int64_t chunk) { return (count + chunk - 1) / chunk; }

}   // namespace vcap::kernels
