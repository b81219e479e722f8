// SPDX-License-Identifier: Apache-2.0
// Samples of the four depths that hosts have, to float32 and back. Nothing clamps but what the depth can't hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace understudy {

enum class Depth { kByte, kShort, kHalf, kFloat };

Depth depth_of(const std::string &name);  // an OpenFX name; throws Trouble for others
size_t bytes_of(Depth depth);

// How many samples were not finite, and were replaced: NaN by 0, infinity by 65504.
struct Replaced {
  uint64_t nans = 0, infinities = 0;
};

void to_float(Depth depth, const void *from, float *to, size_t count, Replaced &replaced);

// Half: nearest, ties to even, held to +-65504. Short and byte: nearest of 0 to 1.
void from_float(Depth depth, const float *from, void *to, size_t count);

float half_to_float(uint16_t half);
uint16_t float_to_half(float value);

}  // namespace understudy
