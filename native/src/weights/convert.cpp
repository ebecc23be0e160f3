#include "weights/convert.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "weights/dequantise.h"
#include "weights/describe.h"

namespace loupe {
namespace {

/// Appends elements stored as `Stored`, each passed through `convert`; the bytes may lie at any alignment.
template <typename Stored, typename Out, typename Convert>
std::vector<Out> convert_all(const TensorView& tensor, Convert convert) {
  std::vector<Out> values(tensor.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored element;
    std::memcpy(&element, tensor.bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<Out>(convert(element));
  }
  return values;
}

template <typename Out>
std::vector<Out> read_real(const TensorView& tensor) {
  switch (tensor.dtype) {
    case DType::f32: return convert_all<float, Out>(tensor, [](float x) { return x; });
    case DType::f64: return convert_all<double, Out>(tensor, [](double x) { return x; });
    case DType::f16: return convert_all<std::uint16_t, Out>(tensor, f16_to_float);
    case DType::bf16: return convert_all<std::uint16_t, Out>(tensor, bf16_to_float);
    default:
      throw Error(ErrorCode::checkpoint_dtype, "Tensor " + in_quotes(tensor.stored_name) + " has type " +
                                                   std::string(to_string(tensor.dtype)) + "; expected F32, F16, BF16 or F64.");
  }
}

template <typename Stored>
std::vector<std::int64_t> read_as(const TensorView& tensor) {
  return convert_all<Stored, std::int64_t>(tensor, [](Stored x) { return x; });
}

}  // namespace

float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1Fu, fraction = bits & 0x3FFu;
  if (exponent == 0) return std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24f) | sign);
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

std::uint16_t float_to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value), magnitude = bits & 0x7FFFFFFF;
  const std::uint16_t sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  if (magnitude > 0x7F800000) return sign | 0x7E00;
  if (magnitude >= 0x477FF000) return sign | 0x7C00;  // 65520 and more
  if (magnitude < 0x38800000) {                       // below 2^-14: in units of 2^-24, which the addition leaves in the last bits
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000));
  }
  const std::uint32_t rebased = magnitude - (112u << 23);  // a carry out of the fraction raises the exponent by itself
  return static_cast<std::uint16_t>(sign | (rebased + 0xFFF + (rebased >> 13 & 1)) >> 13);
}

std::vector<float> read_floats(const TensorView& tensor) {
  if (!is_block_type(tensor.dtype)) return read_real<float>(tensor);
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  dequantise(tensor.dtype, tensor.bytes, values);
  return values;
}

void to_floats(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  if (dtype == DType::f32) {
    std::memcpy(out.data(), bytes.data(), out.size_bytes());
    return;
  }
  if (is_block_type(dtype)) return dequantise(dtype, bytes, out);
  if (!is_plain_weight_type(dtype)) throw Error(ErrorCode::checkpoint_dtype, std::string(to_string(dtype)) + " is not a type of weights.");
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes.data() + i * 2, 2);
    out[i] = dtype == DType::bf16 ? bf16_to_float(bits) : f16_to_float(bits);
  }
}

void write_floats(std::span<const float> values, DType dtype, std::span<std::byte> out) {
  if (dtype == DType::f32) {
    std::memcpy(out.data(), values.data(), values.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = dtype == DType::bf16 ? float_to_bf16(values[i]) : float_to_f16(std::clamp(values[i], -65504.0f, 65504.0f));
    std::memcpy(out.data() + i * 2, &bits, 2);
  }
}

std::vector<double> read_doubles(const TensorView& tensor) { return read_real<double>(tensor); }

std::vector<std::int64_t> read_integers(const TensorView& tensor) {
  switch (tensor.dtype) {
    case DType::i8: return read_as<std::int8_t>(tensor);
    case DType::i16: return read_as<std::int16_t>(tensor);
    case DType::i32: return read_as<std::int32_t>(tensor);
    case DType::i64: return read_as<std::int64_t>(tensor);
    case DType::boolean:
    case DType::u8: return read_as<std::uint8_t>(tensor);
    case DType::u16: return read_as<std::uint16_t>(tensor);
    case DType::u32: return read_as<std::uint32_t>(tensor);
    case DType::u64: return read_as<std::uint64_t>(tensor);
    default:
      throw Error(ErrorCode::checkpoint_dtype, "Tensor " + in_quotes(tensor.stored_name) + " has type " +
                                                   std::string(to_string(tensor.dtype)) + "; expected an integer type.");
  }
}

}  // namespace loupe
