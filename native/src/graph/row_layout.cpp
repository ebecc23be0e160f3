#include "graph/row_layout.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "weights/convert.h"
#include "weights/dequantise.h"

namespace loupe {
namespace {

constexpr uint32_t unit = 32, units_a_block = 8;  // of the K types

uint64_t whole_words(uint64_t bytes) { return (bytes + 15) / 16 * 16; }

/// Where the planes of a row begin, and its size.
struct Planes {
  uint64_t high = 0, scales = 0, d = 0, size = 0;
};

Planes planes_of(DType dtype, uint32_t stride) {
  const uint64_t units = stride / unit, blocks = stride / (unit * units_a_block);
  Planes planes;
  planes.high = units * (dtype == DType::q8_0 ? 32 : 16);
  planes.scales = planes.high + units * (dtype == DType::q5_k ? 4 : dtype == DType::q6_k ? 8 : 0);
  const bool halves = dtype == DType::q8_0 || dtype == DType::q4_0;
  planes.d = planes.scales + (halves ? whole_words(units * 2) : blocks * 16);
  planes.size = planes.d + (dtype == DType::q6_k ? whole_words(blocks * 2) : 0);
  return planes;
}

uint8_t byte_at(const std::byte* bytes, uint32_t index) { return std::to_integer<uint8_t>(bytes[index]); }

/// Each block is a float16 and quants that are kept as they are.
void pack_halves(const std::byte* row, uint32_t units, uint32_t quant_bytes, std::byte* quants, std::byte* scales) {
  for (uint32_t u = 0; u < units; ++u) {
    const std::byte* block = row + u * (2 + quant_bytes);
    std::memcpy(scales + u * 2, block, 2);
    std::memcpy(quants + u * quant_bytes, block + 2, quant_bytes);
  }
}

/// Two units whose nibbles share 32 bytes -> 16 bytes each.
void pack_nibbles(const std::byte* pair, std::byte* out) {
  for (uint32_t j = 0; j < 16; ++j) {
    const uint8_t a = byte_at(pair, j), b = byte_at(pair, j + 16);
    out[j] = static_cast<std::byte>((a & 15) | (b & 15) << 4);
    out[j + 16] = static_cast<std::byte>(a >> 4 | (b & 0xF0));
  }
}

/// d, dmin and the twelve bytes of scales and offsets of a Q4_K or Q5_K block.
void pack_k_scales(const std::byte* block, std::byte* out) {
  uint32_t words[4] = {0, 0, 0, 0};
  std::memcpy(words, block, 4);
  for (uint32_t s = 0; s < units_a_block; ++s) {
    const SubScale sub = k_scale(block + 4, static_cast<int>(s));
    words[1] |= (sub.scale & 15u) << (4 * s);
    words[2] |= (sub.offset & 15u) << (4 * s);
    words[3] |= (sub.scale >> 4u) << (2 * s) | (sub.offset >> 4u) << (16 + 2 * s);
  }
  std::memcpy(out, words, sizeof words);
}

void pack_q4_k(const std::byte* block, std::byte* quants, std::byte* scales) {
  pack_k_scales(block, scales);
  for (uint32_t pair = 0; pair < 4; ++pair) pack_nibbles(block + 16 + pair * 32, quants + pair * 32);
}

void pack_q5_k(const std::byte* block, std::byte* quants, std::byte* high, std::byte* scales) {
  pack_k_scales(block, scales);
  for (uint32_t pair = 0; pair < 4; ++pair) pack_nibbles(block + 48 + pair * 32, quants + pair * 32);
  uint32_t words[units_a_block] = {};
  for (uint32_t e = 0; e < unit; ++e) {
    const uint32_t bits = byte_at(block + 16, e), place = 8 * (e % 4) + e / 4;
    for (uint32_t s = 0; s < units_a_block; ++s) words[s] |= (bits >> s & 1u) << place;
  }
  std::memcpy(high, words, sizeof words);
}

void pack_q6_k(const std::byte* block, std::byte* quants, std::byte* high, std::byte* scales, std::byte* d) {
  std::memcpy(scales, block + 192, 16);
  std::memcpy(d, block + 208, 2);
  // Four units share 64 bytes of low halves (units 0 and 2, 1 and 3 a byte) and 32 bytes of high pairs of bits.
  for (uint32_t part = 0; part < 2; ++part) {
    const std::byte *low = block + part * 64, *pairs = block + 128 + part * 32;
    std::byte* to = quants + part * 64;
    for (uint32_t u = 0; u < 2; ++u)
      for (uint32_t j = 0; j < 16; ++j) {
        const uint8_t a = byte_at(low, u * 32 + j), b = byte_at(low, u * 32 + j + 16);
        to[u * 16 + j] = static_cast<std::byte>((a & 15) | (b & 15) << 4);
        to[(u + 2) * 16 + j] = static_cast<std::byte>(a >> 4 | (b & 0xF0));
      }
    uint32_t words[8] = {};
    for (uint32_t e = 0; e < unit; ++e) {
      const uint32_t bits = byte_at(pairs, e), place = 8 * (e % 4) + 2 * (e % 16 / 4);
      for (uint32_t u = 0; u < 4; ++u) words[u * 2 + e / 16] |= (bits >> (2 * u) & 3u) << place;
    }
    std::memcpy(high + part * sizeof words, words, sizeof words);
  }
}

void pack_blocks(DType dtype, const std::byte* row, uint32_t cols, std::byte* out) {
  const Planes planes = planes_of(dtype, cols);
  if (dtype == DType::q8_0 || dtype == DType::q4_0)
    return pack_halves(row, cols / unit, dtype == DType::q8_0 ? 32 : 16, out, out + planes.scales);
  const uint64_t block_bytes = stored_bytes(dtype, unit * units_a_block),
                 high_bytes = (planes.scales - planes.high) / std::max(1u, cols / (unit * units_a_block));
  for (uint32_t b = 0; b < cols / (unit * units_a_block); ++b) {
    const std::byte* block = row + b * block_bytes;
    std::byte *quants = out + b * 128, *high = out + planes.high + b * high_bytes, *scales = out + planes.scales + b * 16;
    if (dtype == DType::q4_k)
      pack_q4_k(block, quants, scales);
    else if (dtype == DType::q5_k)
      pack_q5_k(block, quants, high, scales);
    else
      pack_q6_k(block, quants, high, scales, out + planes.d + b * 2);
  }
}

}  // namespace

bool has_kernels(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::q8_0:
    case DType::q4_0:
    case DType::q4_k:
    case DType::q5_k:
    case DType::q6_k: return true;
    default: return false;
  }
}

DType device_type(DType stored) { return has_kernels(stored) ? stored : DType::f16; }

uint64_t device_row_bytes(DType dtype, uint32_t stride) {
  return is_block_type(dtype) ? planes_of(dtype, stride).size : stored_bytes(dtype, stride);
}

void pack_row(DType stored, std::span<const std::byte> row, uint32_t cols, std::span<std::byte> out) {
  const DType on_device = device_type(stored);
  // What the elements leave: the rest of a plane, columns up to the stride.
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(is_block_type(on_device) ? 0 : stored_bytes(on_device, cols)), out.end(),
            std::byte{0});
  if (on_device != stored) {
    std::vector<float> values(cols);
    dequantise(stored, row, values);
    write_floats(values, on_device, out.first(stored_bytes(on_device, cols)));
    return;
  }
  if (is_block_type(stored))
    pack_blocks(stored, row.data(), cols, out.data());
  else
    std::memcpy(out.data(), row.data(), stored_bytes(stored, cols));
}

}  // namespace loupe
