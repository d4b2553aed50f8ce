#pragma once

#include <cstdint>
#include <vector>

namespace vcap {

/**
 * Scales interleaved RGB, [height, width, 3], to new_height × new_width exactly as Pillow's
 * Image.resize(…, BICUBIC) does: a cubic of a = -0.5, stretched over the source where the
 * picture shrinks, first along the rows, then along the columns, with 8 bits between the two
 * and coefficients of 22 fractional bits (python-pillow, src/libImaging/Resample.c). The
 * reference preprocesses with it; sharp's kernels are up to several levels off. All four
 * lengths must be positive.
 */
std::vector<uint8_t> resample_bicubic(const uint8_t * pixels, int width, int height, int new_width, int new_height);

}   // namespace vcap
