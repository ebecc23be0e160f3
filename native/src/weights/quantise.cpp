#include "weights/quantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "weights/convert.h"
#include "weights/dequantise.h"

namespace loupe {
namespace {

constexpr int sub_blocks = 8;     // of 32 in a Q4_K block
constexpr int small_blocks = 16;  // of 16 in a Q6_K block

void put_half(std::byte* to, float value) {
  const std::uint16_t bits = float_to_f16(std::clamp(value, -65504.0f, 65504.0f));
  std::memcpy(to, &bits, sizeof bits);
}

float get_half(const std::byte* from) {
  std::uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return f16_to_float(bits);
}

/// To the nearest of low .. high. Rounding by addition: the compiler makes vectors of it, unlike of std::round.
float to_level(float x, float low, float high) {
  constexpr float shift = 12582912.0f;  // 1.5 * 2^23
  return std::clamp(x + shift - shift, low, high);
}

/// The inverse, or 0 for 0 and for what is so small that its inverse is infinite.
float inverse(float x) {
  const float result = 1 / x;
  return x == 0 || !std::isfinite(result) ? 0 : result;
}

void q8_0(const float* x, std::byte* block) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  put_half(block, largest / 127);
  const float scale = inverse(get_half(block));  // of the rounded scale: what a reader multiplies with
  for (int i = 0; i < 32; ++i) block[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(to_level(x[i] * scale, -127, 127)));
}

/// Elements far from zero matter more, as they meet larger activations no less often.
template <int count>
void weights_of(const float* x, float* weights) {
  float squares = 0;
  for (int i = 0; i < count; ++i) squares += x[i] * x[i];
  const float typical = std::sqrt(squares / count);
  for (int i = 0; i < count; ++i) weights[i] = typical + std::fabs(x[i]);
}

/// value = scale * q - offset, q = 0 .. 15.
struct Line {
  float scale = 0, offset = 0;
};

/// The line through (q, x) with the least weighted square error; offset >= 0.
Line fit_line(const float* x, const float* weights, const float* q) {
  float w = 0, wq = 0, wqq = 0, wx = 0, wqx = 0;
  for (int i = 0; i < 32; ++i) {
    w += weights[i];
    wq += weights[i] * q[i];
    wqq += weights[i] * q[i] * q[i];
    wx += weights[i] * x[i];
    wqx += weights[i] * q[i] * x[i];
  }
  const float determinant = w * wqq - wq * wq;
  if (!(determinant > 0)) return {};
  Line line{(w * wqx - wq * wx) / determinant, (wq * wqx - wqq * wx) / determinant};
  if (line.offset < 0) line = {wqq > 0 ? wqx / wqq : 0, 0};
  return line;
}

Line best_line(const float* x) {
  float lowest = 0, highest = x[0], weights[32];
  for (int i = 0; i < 32; ++i) {
    lowest = std::min(lowest, x[i]);
    highest = std::max(highest, x[i]);
  }
  const float range = highest - lowest;
  if (!(inverse(range) > 0)) return {0, -lowest};
  weights_of<32>(x, weights);
  Line best{range / 15, -lowest};
  float least = INFINITY;
  // Levels a little fewer or more than there are: a range that ignores its ends may serve the many better.
  for (const float levels : {15.0f, 13.8f, 14.3f, 14.7f, 15.3f, 15.7f, 16.2f, 16.8f}) {
    float q[32], error = 0;
    const float step = levels / range;
    for (int i = 0; i < 32; ++i) q[i] = to_level((x[i] - lowest) * step, 0, 15);
    const Line line = fit_line(x, weights, q);
    if (!(line.scale > 0)) continue;
    for (int i = 0; i < 32; ++i) {
      const float off = line.scale * q[i] - line.offset - x[i];
      error += weights[i] * off * off;
    }
    if (error < least) {
      least = error;
      best = line;
    }
  }
  return best;
}

void q4_k(const float* x, std::byte* block) {
  std::array<Line, sub_blocks> lines;
  float largest_scale = 0, largest_offset = 0;
  for (int s = 0; s < sub_blocks; ++s) {
    lines[s] = best_line(x + s * 32);
    largest_scale = std::max(largest_scale, lines[s].scale);
    largest_offset = std::max(largest_offset, lines[s].offset);
  }
  put_half(block, largest_scale / 63);
  put_half(block + 2, largest_offset / 63);
  const float d = get_half(block), dmin = get_half(block + 2), to_scale = inverse(d), to_offset = inverse(dmin);
  std::uint8_t* const packed = reinterpret_cast<std::uint8_t*>(block + 4);
  std::memset(packed, 0, 12 + 128);
  std::uint8_t* const quants = packed + 12;
  for (int s = 0; s < sub_blocks; ++s) {
    const int scale = static_cast<int>(to_level(lines[s].scale * to_scale, 0, 63)),
              offset = static_cast<int>(to_level(lines[s].offset * to_offset, 0, 63));
    if (s < 4) {
      packed[s] = static_cast<std::uint8_t>(packed[s] | scale);
      packed[s + 4] = static_cast<std::uint8_t>(packed[s + 4] | offset);
    } else {
      packed[s + 4] = static_cast<std::uint8_t>((scale & 15) | (offset & 15) << 4);
      packed[s - 4] = static_cast<std::uint8_t>(packed[s - 4] | scale >> 4 << 6);
      packed[s] = static_cast<std::uint8_t>(packed[s] | offset >> 4 << 6);
    }
    const float step = inverse(d * static_cast<float>(scale)), begin = dmin * static_cast<float>(offset);
    for (int i = 0; i < 32; ++i) {
      const int q = static_cast<int>(to_level((x[s * 32 + i] + begin) * step, 0, 15));
      std::uint8_t& byte = quants[s / 2 * 32 + i];
      byte = static_cast<std::uint8_t>(byte | q << (s % 2 * 4));
    }
  }
}

/// The scale with the least weighted square error for value = scale * q, q = -32 .. 31.
float best_scale(const float* x) {
  float largest = 0, weights[16];
  for (int i = 0; i < 16; ++i) largest = std::fabs(x[i]) > std::fabs(largest) ? x[i] : largest;
  if (inverse(largest) == 0) return 0;
  weights_of<16>(x, weights);
  float best = largest / -32, most = 0;
  for (const float levels : {32.0f, 30.6f, 31.1f, 31.6f, 32.4f, 32.9f, 33.4f}) {
    const float step = -levels / largest;
    float wxq = 0, wqq = 0;
    for (int i = 0; i < 16; ++i) {
      const float q = to_level(x[i] * step, -32, 31);
      wxq += weights[i] * x[i] * q;
      wqq += weights[i] * q * q;
    }
    // With the best scale wxq / wqq this much of the weighted square is explained.
    if (wqq > 0 && wxq * wxq / wqq > most) {
      most = wxq * wxq / wqq;
      best = wxq / wqq;
    }
  }
  return best;
}

void q6_k(const float* x, std::byte* block) {
  std::array<float, small_blocks> scales;
  float largest = 0;
  for (int s = 0; s < small_blocks; ++s) {
    scales[s] = best_scale(x + s * 16);
    largest = std::fabs(scales[s]) > std::fabs(largest) ? scales[s] : largest;
  }
  put_half(block + 208, largest / -128);
  const float d = get_half(block + 208), to_scale = inverse(d);
  std::uint8_t* const low = reinterpret_cast<std::uint8_t*>(block);
  std::uint8_t* const high = low + 128;
  std::memset(low, 0, 192);
  for (int s = 0; s < small_blocks; ++s) {
    const float scale = to_level(scales[s] * to_scale, -128, 127), step = inverse(d * scale);
    block[192 + s] = static_cast<std::byte>(static_cast<std::int8_t>(scale));
    for (int i = 0; i < 16; ++i) {
      const int element = s * 16 + i, part = element / 128, in_half = element % 128,
                q = static_cast<int>(to_level(x[element] * step, -32, 31)) + 32;
      std::uint8_t &low_byte = low[part * 64 + in_half % 64], &high_byte = high[part * 32 + in_half % 32];
      low_byte = static_cast<std::uint8_t>(low_byte | (q & 15) << (in_half / 64 * 4));
      high_byte = static_cast<std::uint8_t>(high_byte | q >> 4 << (in_half / 32 * 2));
    }
  }
}

using Block = void (*)(const float*, std::byte*);

Block block_writer(DType dtype) {
  switch (dtype) {
    case DType::q8_0: return q8_0;
    case DType::q4_k: return q4_k;
    case DType::q6_k: return q6_k;
    default: return nullptr;
  }
}

}  // namespace

bool can_quantise_to(DType dtype) { return block_writer(dtype) != nullptr; }

void quantise(DType dtype, std::span<const float> values, std::span<std::byte> blocks) {
  const Block write = block_writer(dtype);
  if (!write) throw Error(ErrorCode::internal, "Nothing here quantises to " + std::string(to_string(dtype)) + ".");
  const std::size_t elements = static_cast<std::size_t>(info(dtype).block), bytes = stored_bytes(dtype, elements);
  std::vector<float> finite(elements);
  for (std::size_t i = 0; i < values.size() / elements; ++i) {
    std::transform(values.begin() + static_cast<std::ptrdiff_t>(i * elements),
                   values.begin() + static_cast<std::ptrdiff_t>((i + 1) * elements), finite.begin(),
                   [](float x) { return std::isfinite(x) ? x : 0.0f; });
    write(finite.data(), blocks.data() + i * bytes);
  }
}

}  // namespace loupe
