// Block types: the host's dequantiser and the shaders' against gguf-py's values, bit patterns at the edges included.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "fixtures.h"
#include "graph/row_layout.h"
#include "support.h"
#include "weights/convert.h"
#include "weights/dequantise.h"
#include "weights/safetensors.h"

namespace loupe::test {
namespace {

constexpr DType block_types[] = {DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1,
                                 DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};

/// 64 random blocks and what gguf-py makes of them.
struct Golden {
  std::vector<std::byte> blocks;
  Floats values;
};

Golden golden(DType dtype) {
  const SafetensorsFile file(reference() / "gguf" / "dequant.safetensors");
  const std::string name(to_string(dtype));
  const std::span<const std::byte> blocks = file.at(name + ".blocks").bytes;
  return {{blocks.begin(), blocks.end()}, read_floats(file.at(name + ".values"))};
}

/// One rounding of float32 apart at most.
void expect_values(const Floats& actual, const Floats& expected, double relative, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_LE(std::fabs(static_cast<double>(actual[i]) - expected[i]), relative * std::fabs(expected[i]))
        << what << ", element " << i << ": " << actual[i] << " instead of " << expected[i];
}

TEST(Dequantise, EqualsTheReference) {
  for (const DType dtype : block_types) {
    const Golden wanted = golden(dtype);
    ASSERT_EQ(wanted.blocks.size(), stored_bytes(dtype, wanted.values.size()));
    Floats found(wanted.values.size());
    dequantise(dtype, wanted.blocks, found);
    expect_same(found, wanted.values, std::string(to_string(dtype)));
  }
}

TEST(Dequantise, RefusesPlainTypes) {
  Floats one(1);
  const std::vector<std::byte> bytes(4);
  EXPECT_THROW(dequantise(DType::f32, bytes, one), Error);
}

TEST(Halves, RoundToNearestEvenAndBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = f16_to_float(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_float(float_to_f16(value))));
      continue;
    }
    ASSERT_EQ(float_to_f16(value), bits) << value;
    const uint32_t exponent = bits >> 10 & 31, fraction = bits & 0x3FF;
    const double exact = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
    ASSERT_EQ(std::fabs(value), exponent == 31 ? INFINITY : exact);
  }
  // Half-way between neighbours: to the even one; a hair above: up.
  for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const double low = f16_to_float(static_cast<uint16_t>(bits)), high = f16_to_float(static_cast<uint16_t>(bits + 1));
    const float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(float_to_f16(middle), bits % 2 ? bits + 1 : bits) << middle;
    ASSERT_EQ(float_to_f16(std::nextafter(middle, 1e9f)), bits + 1);
    ASSERT_EQ(float_to_f16(-std::nextafter(middle, 0.0f)), bits | 0x8000);
  }
  EXPECT_EQ(float_to_f16(65519.0f), 0x7BFF);
  EXPECT_EQ(float_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(float_to_f16(-INFINITY), 0xFC00);
}

class Blocks : public DeviceTest {
 protected:
  /// Rows of `units` x 256 elements whose scales are as small as those of a real model, every quant equally likely.
  std::vector<std::byte> random_rows(DType dtype, uint32_t rows, uint32_t cols, Random& random) {
    const auto elements = static_cast<uint32_t>(info(dtype).block);
    const uint64_t block_bytes = stored_bytes(dtype, elements);
    std::vector<std::byte> all(rows * stored_bytes(dtype, cols));
    for (std::byte& byte : all) byte = static_cast<std::byte>(random.below(256));
    for (uint64_t at = 0; at < all.size(); at += block_bytes)
      for (uint64_t scale : scale_offsets(dtype)) {
        const uint16_t half = float_to_f16(0.02f * (2 * random.unit() - 1));
        std::memcpy(&all[at + scale], &half, 2);
      }
    return all;
  }

  static std::vector<uint64_t> scale_offsets(DType dtype) {
    switch (dtype) {
      case DType::q4_1:
      case DType::q5_1:
      case DType::q4_k:
      case DType::q5_k: return {0, 2};
      case DType::q2_k: return {80, 82};
      case DType::q3_k: return {108};
      case DType::q6_k: return {208};
      default: return {0};
    }
  }

  struct Shape {
    uint32_t m, k, n;
    ops::Epilogue::Kind kind = ops::Epilogue::Kind::none;
    uint32_t block_rows = 0;
  };

  void check(DType dtype, const Shape& s, Tolerance tolerance) {
    Random random(s.m * 1000003 + s.k * 1009 + s.n);
    const std::vector<std::byte> stored = random_rows(dtype, s.n, s.k, random);
    Floats w(static_cast<size_t>(s.n) * s.k);
    dequantise(dtype, stored, w);
    if (!has_kernels(dtype)) w = rounded(w, DType::f16);
    const uint32_t width = s.kind == ops::Epilogue::Kind::silu_mul ? s.n / 2 : s.n;
    const Floats x = random.floats(static_cast<size_t>(s.m) * s.k), bias = random.floats(s.n);
    Floats expected = random.floats(static_cast<size_t>(s.m) * width);
    const Matrix weight = matrix_of(s.n, s.k, dtype, stored, s.block_rows);
    const Tensor in = input(s.m, s.k, x, 0, 1), bias_row = row(bias), out = output(s.m, width, expected);
    ops::matmul(g, in, weight, out, {s.kind, &bias_row, 0.37f});
    scalar::matmul(x, w, s.m, s.k, s.n, s.kind, &bias, 0.37f, expected);
    expect_close(read(out), expected, tolerance,
                 std::string(to_string(dtype)) + " [" + std::to_string(s.m) + ", " + std::to_string(s.k) + "] x [" + std::to_string(s.n) +
                     ", " + std::to_string(s.k) + "]");
  }
};

constexpr DType kernel_types[] = {DType::q8_0, DType::q4_0, DType::q4_k, DType::q5_k, DType::q6_k};
using Kind = ops::Epilogue::Kind;

// A lookup is dequantisation and nothing else.
TEST_F(Blocks, LookupEqualsTheReference) {
  for (const DType dtype : block_types) {
    const Golden wanted = golden(dtype);
    const auto cols = static_cast<uint32_t>(info(dtype).block), rows = static_cast<uint32_t>(wanted.values.size()) / cols;
    const Matrix table = matrix_of(rows, cols, dtype, wanted.blocks);
    std::vector<uint32_t> tokens(rows);
    for (uint32_t i = 0; i < rows; ++i) tokens[i] = rows - 1 - i;
    const Tensor out = output(rows, cols);
    ops::embedding(g, table, words(tokens), out);
    Floats expected;
    for (uint32_t token : tokens)
      expected.insert(expected.end(), wanted.values.begin() + token * cols, wanted.values.begin() + (token + 1) * cols);
    if (has_kernels(dtype))
      expect_values(read(out), expected, 1.2e-7, std::string(to_string(dtype)));
    else
      expect_same(read(out), rounded(expected, DType::f16), std::string(to_string(dtype)) + " as float16");
  }
}

TEST_F(Blocks, LookupInWideTablesOfSeveralBlocks) {
  for (const DType dtype : kernel_types) {
    constexpr uint32_t rows = 150, cols = 2304;  // nine K blocks: planes that fill no whole 16 bytes
    Random random(7);
    const std::vector<std::byte> stored = random_rows(dtype, rows, cols, random);
    Floats all(rows * cols);
    dequantise(dtype, stored, all);
    const Matrix table = matrix_of(rows, cols, dtype, stored, 64);
    const std::vector<uint32_t> tokens = {0, 149, 63, 64, 127, 128, 5, 5};
    const Tensor out = output(8, cols);
    ops::embedding(g, table, words(tokens), out);
    expect_values(read(out), scalar::embedding(all, cols, tokens), 1.2e-7, std::string(to_string(dtype)));
  }
}

TEST_F(Blocks, FewRows) {
  for (const DType dtype : kernel_types) {
    check(dtype, {1, 256, 5}, f32_sums);
    check(dtype, {1, 2304, 70}, f32_sums);
    check(dtype, {3, 768, 66, Kind::silu_mul}, f32_sums);
  }
  check(DType::q8_0, {1, 96, 7}, f32_sums);
  check(DType::q4_0, {8, 32, 7, Kind::add}, f32_sums);
  check(DType::q4_k, {8, 1280, 130, Kind::gelu}, f32_sums);
}

// A device chooses among these by their times (ops/variants.h).
TEST_F(Blocks, FewRowsHoweverAThreadTakesThem) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  for (const uint32_t reading : {1u, 2u, 3u}) {
    quirks.unit_reading = reading;
    for (const DType dtype : kernel_types) check(dtype, {1, 2304, 70}, f32_sums);
    check(DType::q6_k, {3, 768, 66, Kind::silu_mul}, f32_sums);
  }
  quirks = real;
}

TEST_F(Blocks, ManyRows) {
  for (const DType dtype : kernel_types) {
    check(dtype, {9, 256, 5, Kind::add}, f32_sums);
    check(dtype, {65, 768, 130, Kind::silu_mul, 64}, f32_sums);
  }
  check(DType::q8_0, {17, 96, 63}, f32_sums);
  check(DType::q4_0, {70, 32, 65}, f32_sums);
}

TEST_F(Blocks, TypesWithoutKernelsAreHalvesOnTheDevice) {
  for (const DType dtype : {DType::q4_1, DType::q5_0, DType::q5_1, DType::q2_k, DType::q3_k}) check(dtype, {2, 512, 9}, f32_sums);
}

TEST_F(Blocks, CooperativeMatrices) {
  g.activations = Activations::f16;
  if (!ops::has_half_matmul(*engine().device, *engine().pipelines))
    GTEST_SKIP() << engine().device->info().name << " or this build has no cooperative matrices that we have a shader for.";
  // Both inputs are rounded to float16 here, and the weights reach 8 while most are near 0.
  constexpr Tolerance halves{4e-3};
  for (const DType dtype : kernel_types) {
    check(dtype, {9, 256, 5, Kind::add}, halves);
    check(dtype, {65, 768, 130, Kind::silu_mul, 64}, halves);
  }
  check(DType::q8_0, {17, 96, 63}, halves);
  check(DType::q4_0, {70, 32, 65}, halves);
}

// A stack of tensors of several types: each block takes its own kernel.
TEST_F(Blocks, TypesMayDifferWithinAMatrix) {
  constexpr uint32_t k = 256;
  Random random(11);
  Floats plain = random.floats(33 * k), expected(2 * 110);
  const std::vector<std::byte> first = random_rows(DType::q4_k, 64, k, random), second = random_rows(DType::q6_k, 13, k, random);
  Matrix stack = matrix_of(64, k, DType::q4_k, first);
  Matrix six = matrix_of(13, k, DType::q6_k, second), half = matrix(33, k, DType::f16, plain);
  six.blocks[0].first_row = 64;
  half.blocks[0].first_row = 77;
  stack.blocks.push_back(std::move(six.blocks[0]));
  stack.blocks.push_back(std::move(half.blocks[0]));
  stack.rows = 110;
  Floats w(77 * k);
  dequantise(DType::q4_k, first, std::span(w).first(64 * k));
  dequantise(DType::q6_k, second, std::span(w).subspan(64 * k));
  w.insert(w.end(), plain.begin(), plain.end());
  const Floats x = random.floats(2 * k);
  const Tensor out = output(2, 110);
  ops::matmul(g, input(2, k, x), stack, out);
  scalar::matmul(x, w, 2, k, 110, Kind::none, nullptr, 1, expected);
  expect_close(read(out), expected, f32_sums, "Q4_K, Q6_K and F16 under one another");
}

TEST(RowLayout, BlocksTakeNoMoreThanTheirFile) {
  for (const DType dtype : kernel_types)
    for (const uint32_t cols : {4096u, 8192u, 14336u, 28672u})
      EXPECT_EQ(device_row_bytes(dtype, cols), stored_bytes(dtype, cols)) << to_string(dtype) << " " << cols;
  EXPECT_EQ(device_row_bytes(DType::bf16, 592), 1184u);
  EXPECT_EQ(device_row_bytes(DType::q8_0, 96), 112u);
}

}  // namespace
}  // namespace loupe::test
