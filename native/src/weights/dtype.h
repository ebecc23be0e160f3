#pragma once
// Element types that a checkpoint may name: those of safetensors, and the block types of GGUF.

#include <cstdint>
#include <optional>
#include <string_view>

namespace loupe {

/// The first three can be weights, and the block types after them; the others are recognised so that
/// files holding them can be read (reference values) or refused by name.
enum class DType : std::uint8_t {
  f32,
  f16,
  bf16,
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f6_e2m3,
  f6_e3m2,
  f4,
  c64,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;  ///< as its format spells it
  int bits;               ///< of a block; several elements of safetensors may share a byte
  int block = 1;          ///< elements that share scales; rows hold whole blocks
};

inline constexpr DTypeInfo dtype_table[] = {
    {DType::f32, "F32", 32},
    {DType::f16, "F16", 16},
    {DType::bf16, "BF16", 16},
    {DType::q8_0, "Q8_0", 272, 32},
    {DType::q4_0, "Q4_0", 144, 32},
    {DType::q4_1, "Q4_1", 160, 32},
    {DType::q5_0, "Q5_0", 176, 32},
    {DType::q5_1, "Q5_1", 192, 32},
    {DType::q2_k, "Q2_K", 672, 256},
    {DType::q3_k, "Q3_K", 880, 256},
    {DType::q4_k, "Q4_K", 1152, 256},
    {DType::q5_k, "Q5_K", 1408, 256},
    {DType::q6_k, "Q6_K", 1680, 256},
    {DType::f64, "F64", 64},
    {DType::i8, "I8", 8},
    {DType::i16, "I16", 16},
    {DType::i32, "I32", 32},
    {DType::i64, "I64", 64},
    {DType::u8, "U8", 8},
    {DType::u16, "U16", 16},
    {DType::u32, "U32", 32},
    {DType::u64, "U64", 64},
    {DType::boolean, "BOOL", 8},
    {DType::f8_e4m3, "F8_E4M3", 8},
    {DType::f8_e5m2, "F8_E5M2", 8},
    {DType::f8_e8m0, "F8_E8M0", 8},
    {DType::f6_e2m3, "F6_E2M3", 6},
    {DType::f6_e3m2, "F6_E3M2", 6},
    {DType::f4, "F4", 4},
    {DType::c64, "C64", 64},
};

constexpr const DTypeInfo& info(DType dtype) {
  for (const DTypeInfo& entry : dtype_table) {
    if (entry.dtype == dtype) return entry;
  }
  return dtype_table[0];  // unreachable: the table lists every enumerator
}

constexpr std::string_view to_string(DType dtype) { return info(dtype).name; }

/// Whether elements share scales in blocks.
constexpr bool is_block_type(DType dtype) { return info(dtype).block > 1; }

/// Bytes of `elements`, a whole number of blocks.
constexpr std::uint64_t stored_bytes(DType dtype, std::uint64_t elements) {
  return elements / static_cast<std::uint64_t>(info(dtype).block) * static_cast<std::uint64_t>(info(dtype).bits) / 8;
}

/// Plain types that can be weights.
constexpr bool is_plain_weight_type(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

/// Types whose elements the engine takes as weights.
constexpr bool is_weight_type(DType dtype) { return is_plain_weight_type(dtype) || is_block_type(dtype); }

/// A type of safetensors, which has no block types.
constexpr std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& entry : dtype_table) {
    if (entry.name == name && entry.block == 1) return entry.dtype;
  }
  return std::nullopt;
}

}  // namespace loupe
