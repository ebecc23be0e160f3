#include "weights/convert.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
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
  const int exponent = (bits >> 10) & 0x1F;
  const int fraction = bits & 0x3FF;
  const float sign = (bits & 0x8000) ? -1.0f : 1.0f;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  return sign * std::ldexp(static_cast<float>(0x400 | fraction), exponent - 25);
}

std::vector<float> read_floats(const TensorView& tensor) { return read_real<float>(tensor); }

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
