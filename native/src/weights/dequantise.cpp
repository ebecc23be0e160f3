#include "weights/dequantise.h"

#include <cstring>
#include <string>

#include "base/error.h"
#include "weights/convert.h"

namespace loupe {
namespace {

int at(const std::byte* bytes, int index) { return std::to_integer<int>(bytes[index]); }
int signed_at(const std::byte* bytes, int index) { return static_cast<std::int8_t>(bytes[index]); }

float half(const std::byte* bytes) {
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return f16_to_float(bits);
}

std::uint32_t word(const std::byte* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Elements j and j + 16 of a block of 32 share byte j.

void q8_0(const std::byte* block, float* out) {
  const float d = half(block);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(signed_at(block, 2 + j)) * d;
}

void q4_0(const std::byte* block, float* out) {
  const float d = half(block);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((at(block, 2 + j) & 15) - 8) * d;
    out[j + 16] = static_cast<float>((at(block, 2 + j) >> 4) - 8) * d;
  }
}

void q4_1(const std::byte* block, float* out) {
  const float d = half(block), m = half(block + 2);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(at(block, 4 + j) & 15) * d + m;
    out[j + 16] = static_cast<float>(at(block, 4 + j) >> 4) * d + m;
  }
}

void q5_0(const std::byte* block, float* out) {
  const float d = half(block);
  const std::uint32_t high = word(block + 2);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(((at(block, 6 + j) & 15) | static_cast<int>(high >> j & 1) << 4) - 16) * d;
    out[j + 16] = static_cast<float>((at(block, 6 + j) >> 4 | static_cast<int>(high >> (j + 16) & 1) << 4) - 16) * d;
  }
}

void q5_1(const std::byte* block, float* out) {
  const float d = half(block), m = half(block + 2);
  const std::uint32_t high = word(block + 4);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((at(block, 8 + j) & 15) | static_cast<int>(high >> j & 1) << 4) * d + m;
    out[j + 16] = static_cast<float>(at(block, 8 + j) >> 4 | static_cast<int>(high >> (j + 16) & 1) << 4) * d + m;
  }
}

// 256 elements in two halves of 128; a byte holds 2 bits of four elements that lie 32 apart.

void q2_k(const std::byte* block, float* out) {
  const float d = half(block + 80), dmin = half(block + 82);
  for (int i = 0; i < 256; ++i) {
    const int in_half = i % 128, scale = at(block, i / 16);
    const int q = at(block, 16 + i / 128 * 32 + in_half % 32) >> (in_half / 32 * 2) & 3;
    out[i] = d * static_cast<float>(scale & 15) * static_cast<float>(q) - dmin * static_cast<float>(scale >> 4);
  }
}

void q3_k(const std::byte* block, float* out) {
  const std::byte *mask = block, *quants = block + 32, *scales = block + 96;
  const float d = half(block + 108);
  for (int i = 0; i < 256; ++i) {
    const int in_half = i % 128, s = i / 16;
    // Scale s: 4 bits of byte s % 8, 2 bits of byte 8 + s % 4.
    const int low = at(scales, s % 8) >> (s / 8 * 4) & 15, high = at(scales, 8 + s % 4) >> (s / 4 * 2) & 3;
    const int q = at(quants, i / 128 * 32 + in_half % 32) >> (in_half / 32 * 2) & 3;
    const int third = at(mask, i % 32) >> (i / 32) & 1;
    out[i] = d * static_cast<float>((low | high << 4) - 32) * static_cast<float>(q - (third ? 0 : 4));
  }
}

void q4_k(const std::byte* block, float* out) {
  const float d = half(block), dmin = half(block + 2);
  for (int s = 0; s < 8; ++s) {
    const SubScale sub = k_scale(block + 4, s);
    const float scale = d * sub.scale, offset = dmin * sub.offset;
    for (int j = 0; j < 32; ++j) {
      const int q = at(block, 16 + s / 2 * 32 + j) >> (s % 2 * 4) & 15;
      out[s * 32 + j] = scale * static_cast<float>(q) - offset;
    }
  }
}

void q5_k(const std::byte* block, float* out) {
  const float d = half(block), dmin = half(block + 2);
  for (int s = 0; s < 8; ++s) {
    const SubScale sub = k_scale(block + 4, s);
    const float scale = d * sub.scale, offset = dmin * sub.offset;
    for (int j = 0; j < 32; ++j) {
      const int q = (at(block, 48 + s / 2 * 32 + j) >> (s % 2 * 4) & 15) | (at(block, 16 + j) >> s & 1) << 4;
      out[s * 32 + j] = scale * static_cast<float>(q) - offset;
    }
  }
}

void q6_k(const std::byte* block, float* out) {
  const float d = half(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int part = i / 128, in_half = i % 128, j = in_half % 32;
    const int low = at(block, part * 64 + in_half % 64) >> (in_half / 64 * 4) & 15;
    const int high = at(block, 128 + part * 32 + j) >> (in_half / 32 * 2) & 3;
    out[i] = d * static_cast<float>(signed_at(block, 192 + i / 16)) * static_cast<float>((low | high << 4) - 32);
  }
}

using Block = void (*)(const std::byte*, float*);

Block block_reader(DType dtype) {
  switch (dtype) {
    case DType::q8_0: return q8_0;
    case DType::q4_0: return q4_0;
    case DType::q4_1: return q4_1;
    case DType::q5_0: return q5_0;
    case DType::q5_1: return q5_1;
    case DType::q2_k: return q2_k;
    case DType::q3_k: return q3_k;
    case DType::q4_k: return q4_k;
    case DType::q5_k: return q5_k;
    case DType::q6_k: return q6_k;
    default: throw Error(ErrorCode::internal, std::string(to_string(dtype)) + " is not a block type.");
  }
}

}  // namespace

SubScale k_scale(const std::byte* scales, int index) {
  if (index < 4) return {static_cast<std::uint8_t>(at(scales, index) & 63), static_cast<std::uint8_t>(at(scales, index + 4) & 63)};
  return {static_cast<std::uint8_t>((at(scales, index + 4) & 15) | at(scales, index - 4) >> 6 << 4),
          static_cast<std::uint8_t>(at(scales, index + 4) >> 4 | at(scales, index) >> 6 << 4)};
}

void dequantise(DType dtype, std::span<const std::byte> blocks, std::span<float> out) {
  const Block read = block_reader(dtype);
  const std::size_t elements = static_cast<std::size_t>(info(dtype).block), bytes = stored_bytes(dtype, elements);
  for (std::size_t i = 0; i < out.size() / elements; ++i) read(blocks.data() + i * bytes, out.data() + i * elements);
}

}  // namespace loupe
