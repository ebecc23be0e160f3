#pragma once
// Tensor elements as plain C++ numbers, for tests, tools and scalar twins. Not for bulk loading.

#include <bit>
#include <cstdint>
#include <vector>

#include "weights/safetensors.h"

namespace loupe {

inline float bf16_to_float(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

/// Rounds to nearest even. Not for NaN.
inline std::uint16_t float_to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/// Exact, subnormals, infinities and NaN included.
float f16_to_float(std::uint16_t bits);

/// @throws Error checkpoint_dtype unless F32, F16, BF16 or F64 (rounded).
std::vector<float> read_floats(const TensorView& tensor);

/// @throws Error checkpoint_dtype unless F32, F16, BF16 or F64.
std::vector<double> read_doubles(const TensorView& tensor);

/// @throws Error checkpoint_dtype unless an integer type or BOOL; U64 wraps.
std::vector<std::int64_t> read_integers(const TensorView& tensor);

}  // namespace loupe
