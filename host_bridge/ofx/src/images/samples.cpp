// SPDX-License-Identifier: Apache-2.0
#include "images/samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "abi/names.h"
#include "wire/trouble.h"

namespace understudy {
namespace {

constexpr float kHalfMax = 65504.0f;

uint32_t bits_of(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float float_of(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Samples are looked at where they were just written, in the cache; most rows have none to replace.
void replace_not_finite(float *samples, size_t count, Replaced &replaced) {
  constexpr uint32_t exponent = 0x7f800000;
  uint32_t found = 0;
  for (size_t i = 0; i < count; ++i) found |= (bits_of(samples[i]) & exponent) == exponent ? 1u : 0u;
  if (found == 0) return;
  for (size_t i = 0; i < count; ++i) {
    if (std::isnan(samples[i])) {
      samples[i] = 0;
      ++replaced.nans;
    } else if (std::isinf(samples[i])) {
      samples[i] = std::copysign(kHalfMax, samples[i]);
      ++replaced.infinities;
    }
  }
}

template <typename T>
void widen(const void *from, float *to, size_t count, float white) {
  const T *samples = static_cast<const T *>(from);
  for (size_t i = 0; i < count; ++i) to[i] = static_cast<float>(samples[i]) / white;
}

template <typename T>
void narrow(const float *from, void *to, size_t count, float white) {
  T *samples = static_cast<T *>(to);
  for (size_t i = 0; i < count; ++i)
    samples[i] = static_cast<T>(std::min(std::max(from[i], 0.0f), 1.0f) * white + 0.5f);
}

}  // namespace

Depth depth_of(const std::string &name) {
  if (name == ofx::depth::kFloat) return Depth::kFloat;
  if (name == ofx::depth::kHalf) return Depth::kHalf;
  if (name == ofx::depth::kShort) return Depth::kShort;
  if (name == ofx::depth::kByte) return Depth::kByte;
  throw Trouble{"InputError", "the host gives an image of an unknown depth (" + name + ")", "", "use float"};
}

size_t bytes_of(Depth depth) {
  switch (depth) {
    case Depth::kByte: return 1;
    case Depth::kShort: case Depth::kHalf: return 2;
    default: return 4;
  }
}

// IEEE 754 binary16.
float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t rest = half & 0x7fff;
  if (rest >= 0x7c00) return float_of(sign | 0x7f800000 | rest << 13);
  if (rest < 0x0400) return std::copysign(static_cast<float>(rest) * 0x1p-24f, float_of(sign | 0x3f800000));
  return float_of(sign | ((rest << 13) + 0x38000000));
}

uint16_t float_to_half(float value) {
  const uint32_t bits = bits_of(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const float size = std::fabs(value);
  if (std::isnan(value)) return sign;
  if (size >= kHalfMax) return static_cast<uint16_t>(sign | 0x7bff);
  if (size < 0x1p-14f) return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(size * 0x1p24f)));
  const uint32_t rest = (bits & 0x7fffffff) - 0x38000000;
  const uint32_t rounded = rest + 0xfff + (rest >> 13 & 1);
  return static_cast<uint16_t>(sign | std::min<uint32_t>(rounded >> 13, 0x7bff));
}

void to_float(Depth depth, const void *from, float *to, size_t count, Replaced &replaced) {
  switch (depth) {
    case Depth::kByte: widen<uint8_t>(from, to, count, 255.0f); return;
    case Depth::kShort: widen<uint16_t>(from, to, count, 65535.0f); return;
    case Depth::kHalf:
      for (size_t i = 0; i < count; ++i) to[i] = half_to_float(static_cast<const uint16_t *>(from)[i]);
      break;
    case Depth::kFloat: std::memcpy(to, from, count * sizeof(float)); break;
  }
  replace_not_finite(to, count, replaced);
}

void from_float(Depth depth, const float *from, void *to, size_t count) {
  switch (depth) {
    case Depth::kByte: narrow<uint8_t>(from, to, count, 255.0f); return;
    case Depth::kShort: narrow<uint16_t>(from, to, count, 65535.0f); return;
    case Depth::kHalf:
      for (size_t i = 0; i < count; ++i) static_cast<uint16_t *>(to)[i] = float_to_half(from[i]);
      return;
    case Depth::kFloat: std::memcpy(to, from, count * sizeof(float));
  }
}

}  // namespace understudy
