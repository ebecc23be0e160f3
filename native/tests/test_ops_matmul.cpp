// matmul: the matrix-vector, the tiled and the cooperative-matrix kernels with every epilogue.
#include <cmath>

#include "base/error.h"
#include "ops/cases.h"
#include "ops/matrix_tiles.h"
#include "support.h"

namespace loupe::test {
namespace {

using cases::Bench;
using ops::Epilogue;
using Kind = ops::Epilogue::Kind;

/// Inputs rounded to float16 (2^-11 each, independently a term): sums of k terms of size 1 are off by about
/// sqrt(k) * 2^-11, and are themselves about sqrt(k) / 3; the largest of thousands of errors is a few times that.
constexpr Tolerance f16_inputs{4e-3};

struct Case {
  uint32_t m, k, n;
  DType dtype = DType::f32;
  Kind kind = Kind::none;
  bool bias = false;
  uint32_t block_rows = 0, skipped_rows = 0;
};

std::string describe(const Case& c) {
  static const char* kinds[] = {"none", "gelu", "silu_mul", "add"};
  return "[" + std::to_string(c.m) + ", " + std::to_string(c.k) + "] x [" + std::to_string(c.n) + ", " + std::to_string(c.k) + "] " +
         std::string(to_string(c.dtype)) + ", " + kinds[static_cast<int>(c.kind)] + (c.bias ? ", bias" : "") +
         (c.block_rows ? ", blocks of " + std::to_string(c.block_rows) : "") +
         (c.skipped_rows ? ", view from row " + std::to_string(c.skipped_rows) : "");
}

class Matmul : public DeviceTest {
 protected:
  void check(const Case& c, Tolerance tolerance = f32_sums) {
    Random random(c.m * 1000003 + c.k * 1009 + c.n);
    const float scale = 0.37f;
    const uint32_t width = c.kind == Kind::silu_mul ? c.n / 2 : c.n;
    const Floats x = random.floats(static_cast<size_t>(c.m) * c.k), bias = random.floats(c.n);
    Floats w = random.floats(static_cast<size_t>(c.n) * c.k), expected = random.floats(static_cast<size_t>(c.m) * width);
    const Matrix weight = matrix(c.n, c.k, c.dtype, w, c.block_rows);
    const Tensor in = input(c.m, c.k, x, weight.stride, c.skipped_rows);
    const Tensor bias_row = row(bias);
    const Tensor out = output(c.m, width, expected);
    recorder.sync();
    const uint64_t before = recorder.barriers();
    ops::matmul(g, in, weight, out, {c.kind, c.bias ? &bias_row : nullptr, scale});
    const bool halved = g.activations == Activations::f16 && c.m > ops::matvec_rows;
    EXPECT_LE(recorder.barriers() - before, halved ? 1u : 0u)  // none where a submission ended in between
        << describe(c) << ": blocks write their own columns and need not wait for one another, but for x in float16";
    scalar::matmul(x, w, c.m, c.k, c.n, c.kind, c.bias ? &bias : nullptr, scale, expected);
    expect_close(read(out), expected, tolerance, describe(c));
  }
};

constexpr DType dtypes[] = {DType::f32, DType::f16, DType::bf16};
constexpr Kind kinds[] = {Kind::none, Kind::gelu, Kind::silu_mul, Kind::add};

// Compiling a kernel takes a software driver a third of a second, so types, rows and epilogues are not multiplied out.
TEST_F(Matmul, FewRowsOfEveryType) {
  check({1, 8, 1});
  check({1, 200, 65, DType::f32, Kind::none, true});
  check({2, 40, 3});
  check({3, 72, 5, DType::f32, Kind::none, true});
  check({7, 520, 63});
  check({8, 264, 130, DType::f32, Kind::none, true});
  check({3, 72, 5, DType::f16});
  check({1, 264, 67, DType::bf16});
  check({8, 264, 130, DType::bf16, Kind::none, true});
}

TEST_F(Matmul, FewRowsWithEveryEpilogue) {
  for (Kind kind : kinds)
    for (bool bias : {false, true}) check({3, 72, 66, DType::bf16, kind, bias});
}

TEST_F(Matmul, ManyRowsOfEveryType) {
  for (DType dtype : dtypes) {
    check({9, 8, 1, dtype});
    check({17, 40, 63, dtype});
    check({63, 72, 64, dtype});
    check({64, 200, 65, dtype});
    check({65, 136, 67, dtype});
    check({130, 264, 130, dtype});
  }
}

TEST_F(Matmul, ManyRowsWithEveryEpilogue) {
  for (Kind kind : kinds)
    for (bool bias : {false, true})
      for (uint32_t m : {9u, 65u}) check({m, 72, 70, DType::bf16, kind, bias});
}

TEST_F(Matmul, OddWidths) {  // columns beyond the matrix meet its zero padding
  for (uint32_t m : {1u, 9u})
    for (uint32_t k : {1u, 5u, 13u, 63u, 65u}) check({m, k, 11, DType::bf16});
}

TEST_F(Matmul, BlocksOfRows) {
  for (uint32_t m : {3u, 17u, 65u})
    for (Kind kind : kinds) check({m, 24, 190, DType::bf16, kind, true, 64});
  check({3, 24, 321, DType::f32, Kind::none, true, 128});
  check({70, 24, 321, DType::f32, Kind::none, true, 128});
}

TEST_F(Matmul, Views) {
  for (uint32_t m : {3u, 9u, 65u}) check({m, 24, 30, DType::bf16, Kind::add, true, 0, 5});
}

// More output rows than workgroups in one dimension of a dispatch.
TEST_F(Matmul, VocabularyOfABigModel) { check({1, 8, 4 * 32768 + 69, DType::bf16}); }

// Enough work that it is cut into dispatches by rows; each output is added to once.
TEST_F(Matmul, CutByRows) {
  constexpr uint32_t m = 150, k = 1024, n = 1024;
  Random random(1);
  const Floats x = random.floats(m * k);
  Floats w = random.floats(n * k);
  const Matrix weight = matrix(n, k, DType::bf16, w);
  const Tensor out = output(m, n, 1.0f), in = input(m, k, x);
  ops::matmul(g, in, weight, out, {Kind::add, nullptr, 0.5f});
  const Floats y = read(out);
  for (uint32_t r : {0u, 63u, 64u, 127u, 128u, 149u}) {
    Floats expected(n, 1.0f);
    scalar::matmul(Floats(x.begin() + r * k, x.begin() + (r + 1) * k), w, 1, k, n, Kind::add, nullptr, 0.5f, expected);
    expect_close(Floats(y.begin() + r * n, y.begin() + (r + 1) * n), expected, f32_sums, "row " + std::to_string(r));
  }
}

// Absolute error below 5e-7 * max(1, |x|) everywhere: a few ulp of the result for positive x, and digits left in the negative tail.
TEST_F(Matmul, GeluIsExact) {
  constexpr uint32_t k = 8;
  Floats identity(k * k, 0.0f);
  for (uint32_t i = 0; i < k; ++i) identity[i * k + i] = 1;
  const Matrix weight = matrix(k, k, DType::f32, identity);
  for (uint32_t m : {8u, 1000u}) {  // matrix-vector, tiled
    Floats x(m * k);
    for (uint32_t i = 0; i < x.size(); ++i) x[i] = -10 + 20 * static_cast<float>(i) / static_cast<float>(x.size() - 1);
    const Tensor in = input(m, k, x), out = output(m, k);
    ops::matmul(g, in, weight, out, {Kind::gelu});
    const Floats y = read(out);
    double worst = 0, worst_tail = 0;
    for (uint32_t i = 0; i < x.size(); ++i) {
      const double v = x[i], exact = 0.5 * v * std::erfc(-v * std::sqrt(0.5)), error = std::fabs(y[i] - exact);
      worst = std::max(worst, error / std::max(1.0, std::fabs(v)));
      if (v < -2 && v > -8) worst_tail = std::max(worst_tail, error / std::fabs(exact));
    }
    EXPECT_LT(worst, 5e-7) << m << " rows";
    // exp(-z^2) for z^2 up to 32: its argument is rounded to 2e-6, and Vulkan grants exp 3 + 2 * 32 ulp.
    EXPECT_LT(worst_tail, 2e-5) << m << " rows";
  }
}

class AddNorm : public Matmul {
 protected:
  void SetUp() override {
    if (engine().device->quirks().last_workgroup) g.arrivals = words(std::vector<uint32_t>(Graph::arrival_words));
  }

  struct Norms {
    uint32_t m, k, n;
    DType dtype = DType::bf16;
    uint32_t block_rows = 0, skipped_rows = 0;
    float size = 1;
    bool fused = true;
  };

  void check(const Norms& c) {
    Random random(c.m * 1000003 + c.k * 1009 + c.n);
    const float scale = 0.37f, eps = 1e-5f;
    const std::string what = describe({c.m, c.k, c.n, c.dtype, Kind::add, false, c.block_rows, c.skipped_rows}) + ", and the norm";
    const Floats in = random.floats(static_cast<size_t>(c.m) * c.k, c.size), norm = random.floats(c.n, 2);
    Floats w = random.floats(static_cast<size_t>(c.n) * c.k), sums = random.floats(static_cast<size_t>(c.m) * c.n, c.size);
    const Matrix weight = matrix(c.n, c.k, c.dtype, w, c.block_rows);
    const Tensor before = input(c.m, c.k, in, weight.stride, c.skipped_rows), norm_row = row(norm);
    const Tensor x = output(c.m, c.n, sums), normed = output(c.m, c.n);
    for (int again = 0; again < 2; ++again) {
      recorder.sync();
      const uint64_t barriers = recorder.barriers(), dispatches = recorder.dispatches();
      ops::add_norm(g, before, weight, scale, x, norm_row, eps, normed);
      EXPECT_EQ(recorder.dispatches() - dispatches, weight.blocks.size() + (c.fused ? 0 : 1)) << what;
      EXPECT_EQ(recorder.barriers() - barriers, c.fused ? 0u : 1u) << what << ": blocks count together, without waiting";
      const Floats expected = scalar::add_norm(in, w, c.m, c.k, scale, norm, eps, sums);
      expect_close(read(x), sums, f32_sums, what + ": x");
      expect_close(read(normed), expected, f32_sums, what);
      if (!g.arrivals) continue;
      EXPECT_EQ(read_words(g.arrivals, Graph::arrival_words), std::vector<uint32_t>(Graph::arrival_words)) << what;
    }
  }
};

TEST_F(AddNorm, FewRows) {
  check({1, 40, 4});
  check({1, 40, 16});
  check({3, 72, 100});
  check({8, 24, 208});
  check({1, 13, 4096});  // more than the last workgroup reads at a time
  check({5, 13, 4100});
}

TEST_F(AddNorm, EveryType) {
  for (const DType dtype : {DType::f32, DType::f16}) check({2, 72, 96, dtype});
  for (const DType dtype : {DType::q8_0, DType::q4_k, DType::q6_k}) {
    Bench bench(*engine().device, memory, *engine().pipelines, Activations::f32, Bench::Fill::random);
    const cases::Comparison comparison = cases::compare(cases::add_norm(bench, "add norm", 2, 512, 96, dtype));
    EXPECT_TRUE(comparison.ok) << to_string(dtype) << ": " << comparison.detail;
  }
}

TEST_F(AddNorm, HoweverAThreadTakesItsUnits) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.unit_reading = 3;
  for (const uint32_t loads : {8u, 16u}) {
    quirks.loads_ahead = loads;
    Bench bench(*engine().device, memory, *engine().pipelines, Activations::f32, Bench::Fill::random);
    const cases::Comparison comparison = cases::compare(cases::add_norm(bench, "add norm", 2, 512, 96, DType::q6_k));
    EXPECT_TRUE(comparison.ok) << loads << " loads ahead: " << comparison.detail;
  }
  quirks = real;
}

// Workgroups of several subgroups, as on a GPU. The norm's row comes in one piece, in several, or in one with its weights.
TEST_F(AddNorm, WorkgroupsOfManySubgroups) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.matvec_threads = 64;
  for (uint32_t loads : {8u, 16u}) {
    quirks.loads_ahead = loads;
    check({1, 72, 96});
    check({5, 40, 4096});
    check({2, 40, 4352});
  }
  quirks = real;
}

TEST_F(AddNorm, BlocksAndViews) {
  check({1, 24, 192, DType::bf16, 64});
  check({3, 24, 148, DType::bf16, 64, 2});
}

// Devices without arrivals, and more rows than a matrix-vector kernel takes, have the norm by itself.
TEST_F(AddNorm, ByItself) {
  check({.m = 9, .k = 40, .n = 96, .fused = false});
  g.arrivals = {};
  check({.m = 2, .k = 40, .n = 96, .fused = false});
}

// Squares far from 1, and rows of zeros, which eps alone keeps finite.
TEST_F(AddNorm, ExtremeRows) {
  for (const float size : {0.0f, 1e-6f, 1e12f}) check({.m = 2, .k = 40, .n = 96, .size = size});
}

TEST_F(Matmul, ShapesThatDoNotFitAreRefused) {
  Floats w(9 * 16, 1.0f);
  const Matrix weight = matrix(9, 16, DType::f32, w);
  const Tensor x = input(2, 16, Floats(32, 1.0f)), narrow = input(2, 8, Floats(16, 1.0f));
  const auto refused = [&](const Tensor& in, const Tensor& out, Kind kind) {
    try {
      ops::matmul(g, in, weight, out, {kind});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::internal);
      EXPECT_NE(std::string(error.what()).find("[9, 16]"), std::string::npos) << error.what();
    }
  };
  refused(narrow, output(2, 9), Kind::none);
  refused(x, output(2, 8), Kind::none);
  refused(x, output(3, 9), Kind::none);
  refused(x, output(2, 4), Kind::silu_mul);  // an odd number of rows has no pairs
}

class MatmulF16 : public Matmul {
 protected:
  void SetUp() override {
    g.activations = Activations::f16;
    const vk::DeviceInfo& info = engine().device->info();
    if (info.matrix_shapes.empty()) GTEST_SKIP() << info.name << " has no cooperative matrices of float16 with float32 sums.";
    bool any = false;
    for (const char* shader : {"coopmat_16x16x16_f32", "coopmat_8x16x16_f32", "coopmat_8x8x16_f32", "coopmat_8x8x8_f32"})
      any = any || engine().pipelines->has(shader);
    if (!any) GTEST_SKIP() << "The shader compiler of this build does not know GL_KHR_cooperative_matrix.";
  }
};

TEST_F(MatmulF16, EveryType) {
  for (DType dtype : dtypes) {
    check({9, 8, 1, dtype}, f16_inputs);
    check({17, 40, 63, dtype}, f16_inputs);
    check({63, 72, 64, dtype}, f16_inputs);
    check({64, 200, 65, dtype}, f16_inputs);
    check({130, 264, 130, dtype}, f16_inputs);
  }
}

TEST_F(MatmulF16, EveryEpilogue) {
  for (Kind kind : kinds)
    for (bool bias : {false, true})
      for (uint32_t m : {9u, 65u}) check({m, 72, 70, DType::bf16, kind, bias}, f16_inputs);
}

TEST_F(MatmulF16, BlocksAndViews) {
  for (Kind kind : kinds) check({65, 24, 190, DType::bf16, kind, true, 64, 3}, f16_inputs);
  check({9, 13, 11, DType::bf16}, f16_inputs);
}

TEST_F(MatmulF16, OddWidths) {  // a step of 32 meets the zeros behind x
  for (uint32_t k : {1u, 5u, 31u, 33u, 63u, 65u}) check({9, k, 11, DType::f16}, f16_inputs);
}

// Rows of one matrix in types that want their inputs in orders of their own.
TEST_F(MatmulF16, BlocksOfTwoKinds) {
  constexpr uint32_t m = 21, k = 64, rows = 64;
  Random random(4);
  const Floats x = random.floats(m * k);
  Floats first = random.floats(rows * k), second = random.floats(rows * k), third = random.floats(rows * k);
  Bench bench(*engine().device, *engine().memory, *engine().pipelines, Activations::f16, Bench::Fill::random);
  Matrix weight{3 * rows, k, k, {}};
  Floats all;
  for (const auto& [dtype, values] : {std::pair{DType::f16, &first}, {DType::q8_0, &second}, {DType::bf16, &third}}) {
    Matrix part = bench.matrix(rows, k, dtype, *values);
    part.blocks[0].first_row = static_cast<uint32_t>(weight.blocks.size()) * rows;
    weight.blocks.push_back(std::move(part.blocks[0]));
    all.insert(all.end(), values->begin(), values->end());
  }
  const Tensor in = input(m, k, x), out = output(m, 3 * rows);
  Floats expected(m * 3 * rows);
  ops::matmul(g, in, weight, out);
  scalar::matmul(x, all, m, k, 3 * rows, Kind::none, nullptr, 1, expected);
  expect_close(read(out), expected, f16_inputs, "float16, Q8_0 and bfloat16");
}

// Large tiles, with what the next step needs loaded ahead and without; with as many fragments as on other devices where those are
// smaller, because software drivers take minutes to compile more. The small tiles are what all other tests have.
TEST_F(MatmulF16, LargeTiles) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  const uint32_t own = engine().device->matrix_subgroup(), part = own < 32 ? 2 : 1;
  std::vector<vk::MatrixTile> tiles{ops::matrix_tiles[1].large, ops::matrix_tiles[3].large};
  tiles.insert(tiles.end(), std::begin(ops::other_large_tiles), std::end(ops::other_large_tiles));
  for (vk::MatrixTile tile : tiles) {
    if (tile.ahead) tile = {tile.rows / part, tile.columns / part, tile.subgroup_rows / part, tile.subgroup_columns / part, tile.ahead};
    if (!ops::is_whole(tile, own)) continue;
    SCOPED_TRACE("tile of " + std::to_string(tile.rows) + " x " + std::to_string(tile.columns) + ", subgroup of " +
                 std::to_string(tile.subgroup_rows) + " x " + std::to_string(tile.subgroup_columns) + ", ahead " +
                 std::to_string(tile.ahead));
    quirks.matrix_tile = tile;
    check({tile.rows + 2, 72, tile.columns + 6, DType::bf16, Kind::none, true}, f16_inputs);
  }
  quirks = real;
}

// Numbers that float16 holds exactly leave only the order of the sums: the kernel itself has no f16 sums.
TEST_F(MatmulF16, SumsAreFloat32) {
  constexpr uint32_t m = 33, k = 2048, n = 40;
  Random random(3);
  const Floats x = rounded(random.floats(m * k), DType::f16);
  Floats w = random.floats(n * k), expected(m * n);
  const Matrix weight = matrix(n, k, DType::f16, w);
  const Tensor in = input(m, k, x), out = output(m, n);
  ops::matmul(g, in, weight, out);
  scalar::matmul(x, w, m, k, n, Kind::none, nullptr, 1, expected);
  expect_close(read(out), expected, {1e-4}, "2048 terms");  // matrix units may truncate the float32 sums
}

TEST_F(MatmulF16, LargeActivationsStayFinite) {
  constexpr uint32_t m = 9, k = 8, n = 8;
  Floats w(n * k, 0.0f);
  for (uint32_t i = 0; i < n; ++i) w[i * k + i] = 1;
  const Matrix weight = matrix(n, k, DType::f32, w);
  const Tensor in = input(m, k, Floats(m * k, 1e6f)), out = output(m, n);
  ops::matmul(g, in, weight, out);
  expect_same(read(out), Floats(m * n, 65504.0f), "1e6 clamped to float16's largest");
}

}  // namespace
}  // namespace loupe::test
