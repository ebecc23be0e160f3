#pragma once
// Element types that a safetensors header may name.

#include <cstdint>
#include <optional>
#include <string_view>

namespace loupe {

/// The first three can be weights; the others are recognised so that files holding them
/// can be read (reference values) or refused by name (quantised checkpoints).
enum class DType : std::uint8_t {
  f32, f16, bf16,
  f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean,
  f8_e4m3, f8_e5m2, f8_e8m0, f6_e2m3, f6_e3m2, f4, c64,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;  ///< as safetensors spells it
  int bits;               ///< per element; below 8 elements are packed
};

inline constexpr DTypeInfo dtype_table[] = {
    {DType::f32, "F32", 32},         {DType::f16, "F16", 16},         {DType::bf16, "BF16", 16},
    {DType::f64, "F64", 64},         {DType::i8, "I8", 8},            {DType::i16, "I16", 16},
    {DType::i32, "I32", 32},         {DType::i64, "I64", 64},         {DType::u8, "U8", 8},
    {DType::u16, "U16", 16},         {DType::u32, "U32", 32},         {DType::u64, "U64", 64},
    {DType::boolean, "BOOL", 8},     {DType::f8_e4m3, "F8_E4M3", 8},  {DType::f8_e5m2, "F8_E5M2", 8},
    {DType::f8_e8m0, "F8_E8M0", 8},  {DType::f6_e2m3, "F6_E2M3", 6},  {DType::f6_e3m2, "F6_E3M2", 6},
    {DType::f4, "F4", 4},            {DType::c64, "C64", 64},
};

constexpr const DTypeInfo& info(DType dtype) {
  for (const DTypeInfo& entry : dtype_table) {
    if (entry.dtype == dtype) return entry;
  }
  return dtype_table[0];  // unreachable: the table lists every enumerator
}

constexpr std::string_view to_string(DType dtype) { return info(dtype).name; }

constexpr int bits_per_element(DType dtype) { return info(dtype).bits; }

/// Types whose elements the engine takes as weights.
constexpr bool is_weight_type(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

constexpr std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& entry : dtype_table) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

}  // namespace loupe
