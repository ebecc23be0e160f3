#pragma once
// Tensor elements as plain C++ numbers, for tests, tools and scalar twins. Not for bulk loading.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "weights/tensor_view.h"

namespace loupe {

inline float bf16_to_float(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

/// Rounds to nearest even. Not for NaN.
inline std::uint16_t float_to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/// Exact, subnormals, infinities and NaN included.
float f16_to_float(std::uint16_t bits);

/// Rounds to nearest even; beyond the largest becomes infinite. NaN stays NaN.
std::uint16_t float_to_f16(float value);

/// @throws Error checkpoint_dtype unless F32, F16, BF16, F64 (rounded) or a block type.
std::vector<float> read_floats(const TensorView& tensor);

/// Elements of any weight type, a whole number of blocks. `bytes` holds out.size() of them, at any alignment.
void to_floats(DType dtype, std::span<const std::byte> bytes, std::span<float> out);

/// Rounds to `dtype`, F32, F16 or BF16; what float16 cannot hold becomes its largest number.
void write_floats(std::span<const float> values, DType dtype, std::span<std::byte> out);

/// @throws Error checkpoint_dtype unless F32, F16, BF16 or F64.
std::vector<double> read_doubles(const TensorView& tensor);

/// @throws Error checkpoint_dtype unless an integer type or BOOL; U64 wraps.
std::vector<std::int64_t> read_integers(const TensorView& tensor);

}  // namespace loupe
