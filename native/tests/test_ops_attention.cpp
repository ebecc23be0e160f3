// rope_kv_write, kv_write, and attention in its three kernels: split over keys, tiled, packed (vision).
#include <cmath>

#include "base/error.h"
#include "support.h"

namespace loupe::test {
namespace {

using ops::AttentionMask;
using ops::HeadShape;
using Mask = AttentionMask::Kind;

/// The inputs of the twin are already rounded as the cache rounds them, so caches of both types leave
/// float32 sums and exp: scores of size 1 off by 1e-6, averaged over the keys.
constexpr Tolerance attention_tolerance{2e-5};
/// What the device itself rounds to float16 may go the other way where the float32 value lies on the edge.
constexpr Tolerance f16_storage{1e-3};

std::string describe(const HeadShape& s) {
  return std::to_string(s.heads) + " heads, " + std::to_string(s.kv_heads) + " kv heads of " + std::to_string(s.head_dim);
}

struct Picture {
  uint32_t max_tiles, num_tiles, tokens, padded;
  HeadShape shape;
};
const Picture pictures[] = {{4, 1, 5, 8, {2, 2, 16}},   {4, 3, 17, 24, {2, 2, 16}}, {4, 4, 17, 24, {2, 2, 16}},
                            {2, 2, 16, 16, {2, 2, 16}}, {4, 2, 26, 32, {2, 2, 80}}, {4, 3, 10, 16, {1, 1, 64}}};

class Attention : public DeviceTest {
 protected:
  void SetUp() override {
    if (engine().device->quirks().last_workgroup) g.arrivals = words(std::vector<uint32_t>(Graph::arrival_words));
  }
  void TearDown() override {
    if (!g.arrivals) return;
    EXPECT_EQ(read_words(g.arrivals, Graph::arrival_words), std::vector<uint32_t>(Graph::arrival_words)) << "workgroups that still count";
  }

  Tolerance tolerance = attention_tolerance;
  DType query_type = DType::f32;

  /// causal: `length` keys are in the cache before the rows' own, split into base and state[1].
  void check(uint32_t rows, uint32_t length, const HeadShape& shape, Mask kind, bool half, float amplitude = 1) {
    Random random(rows * 7919 + length * 31 + shape.head_dim);
    const bool causal = kind == Mask::causal;
    const uint32_t before = causal ? length : 0, visible = causal ? length + rows : length;
    const uint32_t q_width = shape.query_width(), stride = causal ? q_width + 2 * shape.kv_width() : q_width;
    Floats k = random.floats(static_cast<size_t>(visible) * shape.kv_width()), v = random.floats(k.size());
    const Floats q = rounded(random.floats(static_cast<size_t>(rows) * q_width, amplitude), query_type);
    const KvCache kv = cache(visible + 37, shape.kv_width(), half, k, v);
    AttentionMask mask{kind, causal ? 0 : length};
    if (causal) mask.position = {words({99999, before - before / 3, 99999}), 1, before / 3};
    const Tensor in = input(rows, q_width, q, stride, 1, NAN), out = output(rows, q_width);
    ops::attention(g, in, kv, shape, mask, out);
    expect_close(read(out), scalar::attention(q, k, v, shape, mask, before), tolerance,
                 std::to_string(rows) + " rows, " + std::to_string(length) + (causal ? " earlier keys, causal, " : " keys, ") +
                     describe(shape) + (half ? ", f16 cache" : ", f32 cache"));
  }

  /// All scores near -800, of causal rows from `position` on: parts that hold no visible key must not set the maximum.
  void very_negative_scores(uint32_t rows, uint32_t position, bool half) {
    const HeadShape shape{2, 1, 64};
    const uint32_t keys = position + rows;
    Floats k(keys * 64, -5.0f), v = Random(6).floats(keys * 64);
    const Floats q(rows * 128, 20.0f);
    const KvCache kv = cache(400, 64, half, k, v);
    AttentionMask mask{Mask::causal};
    mask.position = {words({position}), 0, 0};
    const Tensor in = input(rows, 128, q), out = output(rows, 128);
    ops::attention(g, in, kv, shape, mask, out);
    expect_close(read(out), scalar::attention(q, k, v, shape, mask, position), tolerance, "scores of -800");
  }

  void vision(const Picture& p) {
    const uint32_t rows = p.max_tiles * p.padded, width = p.shape.query_width();
    Random random(rows + p.num_tiles);
    const Floats q = rounded(random.floats(rows * width, 2), query_type), k = rounded(random.floats(rows * width), query_type),
                 v = rounded(random.floats(rows * width), query_type);
    Floats qkv;
    for (uint32_t r = 0; r < rows; ++r)
      for (const Floats* part : {&q, &k, &v}) qkv.insert(qkv.end(), part->begin() + r * width, part->begin() + (r + 1) * width);
    AttentionMask mask{Mask::vision, rows};
    mask.num_tiles = p.num_tiles;
    mask.tokens = p.tokens;
    mask.padded = p.padded;
    const Tensor in = input(rows, 3 * width, qkv, 0, 1), out = output(rows, width);
    ops::attention_packed(g, in, p.shape, mask, out);
    expect_close(read(out), scalar::attention(q, k, v, p.shape, mask, 0), tolerance,
                 std::to_string(p.num_tiles) + " of " + std::to_string(p.max_tiles) + " tiles of " + std::to_string(p.tokens) +
                     " tokens in " + std::to_string(p.padded) + ", " + describe(p.shape));
  }
};

TEST_F(Attention, FewRowsCausal) {
  // A row sees `length` + 1 keys: one, six, a whole chunk of the kernel, one more, three chunks.
  for (uint32_t length : {0u, 5u, 126u, 127u, 128u, 299u})
    for (uint32_t rows : {1u, 2u, 8u}) check(rows, length, {8, 2, 64}, Mask::causal, true);
  check(1, 130, {4, 4, 8}, Mask::causal, true);
  check(3, 130, {6, 2, 16}, Mask::causal, false);
  check(7, 130, {8, 1, 32}, Mask::causal, true);
  check(1, 130, {3, 1, 80}, Mask::causal, false);
  check(2, 200, {4, 1, 128}, Mask::causal, true);
  check(1, 200, {8, 1, 128}, Mask::causal, false);
}

TEST_F(Attention, FewRowsOverAllKeys) {
  for (uint32_t length : {1u, 5u, 127u, 128u, 129u, 300u})
    for (uint32_t rows : {1u, 3u, 7u}) check(rows, length, {6, 2, 32}, Mask::all, false);
  check(2, 257, {8, 2, 128}, Mask::all, true);
}

// Where workgroups cannot wait for one another, the parts are joined by a dispatch of their own.
TEST_F(Attention, FewRowsInTwoDispatches) {
  g.arrivals = {};
  for (uint32_t length : {0u, 127u, 128u, 299u}) check(2, length, {8, 2, 64}, Mask::causal, true);
  check(3, 1000, {6, 2, 80}, Mask::all, false);
  recorder.sync();
  const uint64_t before = recorder.dispatches();
  check(1, 200, {4, 1, 128}, Mask::causal, true);
  EXPECT_EQ(recorder.dispatches() - before, 2u);
}

// More parts than are joined at a time: 128 of 128 keys.
TEST_F(Attention, ManyParts) {
  for (const bool joined : {true, false}) {
    if (!joined) g.arrivals = {};
    check(1, 128 * 128 + 3, {2, 1, 8}, Mask::causal, true);
    check(2, 128 * 130, {4, 2, 8}, Mask::all, true);
  }
}

// Queries of size 30, so that an unnormed one shows, and of zeros, which eps alone keeps finite.
TEST_F(Attention, QueriesNormed) {
  for (const bool joined : {true, false}) {
    if (!joined) g.arrivals = {};
    for (const uint32_t rows : {1u, 3u, 8u, 9u})
      for (const HeadShape& shape : {HeadShape{6, 2, 32}, HeadShape{3, 1, 80}, HeadShape{8, 2, 128}, HeadShape{2, 2, 8}})
        for (const float size : {30.0f, 0.0f}) {
          const uint32_t length = 257, width = shape.query_width();
          Random random(rows * 31 + shape.head_dim);
          Floats k = random.floats(length * shape.kv_width()), v = random.floats(k.size());
          const Floats q = random.floats(rows * width, size), weight = random.floats(shape.head_dim, 2);
          const KvCache kv = cache(length, shape.kv_width(), shape.head_dim == 128, k, v);
          const AttentionMask mask{Mask::all, length};
          const Tensor in = output(rows, width, q), weight_row = row(weight), out = output(rows, width);
          recorder.sync();
          const uint64_t before = recorder.dispatches();
          ops::norm_attention(g, in, weight_row, 1e-5f, kv, shape, mask, out);
          if (rows <= ops::matvec_rows) {
            EXPECT_EQ(recorder.dispatches() - before, g.arrivals ? 1u : 2u) << rows << " rows";
          }
          expect_close(read(out), scalar::attention(scalar::rms_norm(q, weight, 1e-5f), k, v, shape, mask, 0), attention_tolerance,
                       std::to_string(rows) + " rows normed, " + describe(shape));
        }
  }
}

TEST_F(Attention, ManyRowsCausal) {
  for (uint32_t length : {0u, 1u, 15u, 16u, 129u})
    for (uint32_t rows : {9u, 17u, 65u}) check(rows, length, {4, 2, 16}, Mask::causal, false);
  check(64, 0, {8, 2, 64}, Mask::causal, true);
  check(9, 300, {3, 1, 80}, Mask::causal, true);
  check(130, 127, {4, 1, 8}, Mask::causal, false);
  check(17, 40, {8, 1, 128}, Mask::causal, true);
  check(33, 40, {2, 1, 20}, Mask::causal, false);   // not whole slices of the head
  check(33, 40, {2, 1, 176}, Mask::causal, false);  // the widest of all
}

TEST_F(Attention, ManyRowsOverAllKeys) {
  for (uint32_t length : {1u, 5u, 127u, 128u, 129u, 300u})
    for (uint32_t rows : {9u, 63u}) check(rows, length, {4, 1, 32}, Mask::all, true);
  check(17, 129, {2, 2, 128}, Mask::all, false);
}

/// Attention by the device's matrix units. The twin gets queries that are float16 numbers already, so that only probabilities are rounded:
/// 11 bits each, averaged over the keys.
class MatrixAttention : public Attention {
 protected:
  void SetUp() override {
    Attention::SetUp();
    if (!ops::has_half_matmul(*engine().device, *engine().pipelines))
      GTEST_SKIP() << engine().device->info().name << " has no cooperative matrices that the engine can use.";
    g.activations = Activations::f16;
    tolerance = {5e-4};
    query_type = DType::f16;
  }
};

TEST_F(MatrixAttention, Causal) {
  for (uint32_t length : {0u, 1u, 15u, 31u, 32u, 129u})
    for (uint32_t rows : {9u, 17u, 65u, 130u}) check(rows, length, {4, 2, 16}, Mask::causal, true);
  check(9, 300, {3, 1, 80}, Mask::causal, true);
  check(33, 40, {8, 1, 128}, Mask::causal, true);
  check(70, 40, {2, 1, 96}, Mask::causal, true);
}

TEST_F(MatrixAttention, OverAllKeys) {
  for (uint32_t length : {1u, 5u, 31u, 32u, 33u, 300u})
    for (uint32_t rows : {9u, 63u, 64u}) check(rows, length, {4, 1, 32}, Mask::all, true);
  check(17, 129, {2, 2, 128}, Mask::all, true);
}

/// Every way to divide the work that any device uses, on this one.
TEST_F(MatrixAttention, DividedOtherwise) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.attention_split = vk::AttentionSplit{8, 1, true};
  check(70, 45, {4, 2, 16}, Mask::all, true);
  quirks.attention_split = vk::AttentionSplit{8, 2, true};
  check(40, 129, {2, 1, 24}, Mask::causal, true, 30);  // columns that cannot be shared evenly
  quirks.attention_split = vk::AttentionSplit{8, 2, false};
  vision({4, 2, 26, 32, {2, 2, 16}});
  for (const vk::AttentionTile& tile : vk::attention_tiles)
    for (const uint32_t sharers : {1u, 2u}) {
      quirks.attention_split = vk::AttentionSplit{8, sharers, true};
      quirks.attention_tile = tile;
      check(70, 130, {2, 1, 16}, Mask::causal, true);
      vision({4, 2, 26, 32, {2, 2, 16}});
    }
  quirks = real;
}

// Scores that rise from tile to tile, so that sums are scaled again and again; some beyond what float16 holds as a power.
TEST_F(MatrixAttention, RisingScores) {
  for (const float amplitude : {3.0f, 30.0f, 300.0f}) check(65, 200, {4, 2, 64}, Mask::causal, true, amplitude);
  const HeadShape shape{2, 1, 64};
  constexpr uint32_t rows = 20, length = 150;
  Floats k, v = Random(6).floats(length * 64), q(rows * 128, 1.0f);
  for (uint32_t key = 0; key < length; ++key) k.insert(k.end(), 64, static_cast<float>(key) / 16);
  const KvCache kv = cache(length, 64, true, k, v);
  const Tensor in = input(rows, 128, q), out = output(rows, 128);
  ops::attention(g, in, kv, shape, {Mask::all, length}, out);
  expect_close(read(out), scalar::attention(q, k, v, shape, {Mask::all, length}, 0), tolerance, "scores that rise by half a unit a key");
}

TEST_F(MatrixAttention, VeryNegativeScores) { very_negative_scores(12, 28, true); }

// A query that float16 cannot hold is cut off at 65504, which the kernel in float32 would not do: so these heads are on matrix units.
TEST_F(MatrixAttention, TakesTheHeadsOfModels) {
  for (const uint32_t dim : {16u, 32u, 80u, 128u}) {
    const HeadShape shape{1, 1, dim};
    constexpr uint32_t rows = 12, length = 40;
    Floats q(rows * dim, 0.0f), k(length * dim, 0.0f), v = Random(8).floats(length * dim);
    for (uint32_t row = 0; row < rows; ++row) q[row * dim] = 1e6f;
    for (uint32_t key = 0; key < length; ++key) k[key * dim] = 1e-4f * static_cast<float>(key % 7);
    const KvCache kv = cache(length, dim, true, k, v);
    const Tensor in = input(rows, dim, q), out = output(rows, dim);
    ops::attention(g, in, kv, shape, {Mask::all, length}, out);
    for (uint32_t row = 0; row < rows; ++row) q[row * dim] = 65504;
    expect_close(read(out), scalar::attention(q, k, v, shape, {Mask::all, length}, 0), tolerance,
                 "queries of a million, " + describe(shape));
  }
}

// What float16 cannot hold is cut off before it becomes infinite, where keys and values are made for the matrices, too.
TEST_F(MatrixAttention, BeyondFloat16) {
  const HeadShape shape{1, 1, 32};
  constexpr uint32_t rows = 24;
  Floats q(rows * 32, 0.0f), k = q, v = Random(7).floats(rows * 32), qkv;
  for (uint32_t row = 0; row < rows; ++row) {
    q[row * 32] = 1e6f, k[row * 32 + 1] = 1e6f, v[row * 32] = 1e6f;
    for (const Floats* part : {&q, &k, &v}) qkv.insert(qkv.end(), part->begin() + row * 32, part->begin() + (row + 1) * 32);
  }
  const Tensor in = input(rows, 96, qkv), out = output(rows, 32);
  ops::attention_packed(g, in, shape, {Mask::all, rows}, out);
  for (uint32_t row = 0; row < rows; ++row) v[row * 32] = 65504;
  expect_close(read(out), scalar::attention(q, k, v, shape, {Mask::all, rows}, 0), tolerance, "queries, keys and values of a million");
}

TEST_F(MatrixAttention, Vision) {
  for (const Picture& picture : pictures) vision(picture);
}

// Rows and keys that are both padding are left out by whole tiles, also the first and the last of a row of tiles.
TEST_F(MatrixAttention, VisionOfMostlyPadding) {
  vision({4, 1, 3, 64, {2, 2, 16}});
  vision({3, 2, 1, 40, {1, 1, 32}});
  vision({4, 1, 41, 48, {6, 6, 32}});
}

// A head that no fragment fits, and a cache in float32, take the kernel in float32.
TEST_F(MatrixAttention, OtherwiseInFloat32) {
  tolerance = attention_tolerance;
  query_type = DType::f32;
  check(17, 40, {4, 2, 20}, Mask::causal, true);
  check(17, 40, {4, 2, 64}, Mask::causal, false);
}

class RopeAttention : public Attention {
 protected:
  static Floats cos_sin(const Floats& angles) {
    Floats pairs;
    for (float angle : angles) {
      pairs.push_back(std::cos(angle));
      pairs.push_back(std::sin(angle));
    }
    return pairs;
  }

  /// `rotations` of the positions from `position` on, behind two rows of earlier ones that nobody may read.
  ops::Rotations table(const Floats& rotations, uint32_t position, const HeadShape& shape) {
    Floats all(2 * shape.head_dim, NAN);
    all.insert(all.end(), rotations.begin(), rotations.end());
    return {bytes(all.data(), all.size() * 4), position - 2};
  }

  /// `length` keys are in the cache before the rows' own.
  void check(uint32_t rows, uint32_t length, const HeadShape& shape, bool half, uint32_t dispatches = 1) {
    Random random(rows * 7919 + length * 31 + shape.head_dim);
    const uint32_t capacity = length + rows + 37, width = shape.query_width() + 2 * shape.kv_width();
    Floats qkv = random.floats(static_cast<size_t>(rows) * width), k = random.floats(static_cast<size_t>(length) * shape.kv_width());
    Floats v = random.floats(k.size());
    const Floats rotations = cos_sin(random.floats(rows * shape.head_dim / 2, 3));
    const KvCache kv = cache(capacity, shape.kv_width(), half, k, v);
    const Tensor in = input(rows, width, qkv, 0, 1), out = output(rows, shape.query_width());
    const AttentionMask mask{Mask::causal, 0, {words({99999, length - length / 3}), 1, length / 3}};
    recorder.sync();
    const uint64_t before = recorder.dispatches();
    ops::rope_attention(g, in, table(rotations, length, shape), shape, mask, kv, out);
    const std::string what =
        std::to_string(rows) + " rows, " + std::to_string(length) + " earlier keys, " + describe(shape) + (half ? ", f16" : ", f32");
    EXPECT_EQ(recorder.dispatches() - before, dispatches + (g.arrivals || rows > ops::matvec_rows ? 0 : 1))
        << what << ": one row needs no dispatch for its key and value";

    k.resize(static_cast<size_t>(capacity) * shape.kv_width(), NAN);
    v.resize(k.size(), NAN);
    scalar::rope_kv_write(qkv, rotations, shape, length, k, v);
    const auto first_own = static_cast<std::ptrdiff_t>(length) * shape.kv_width();
    const auto end_own = first_own + static_cast<std::ptrdiff_t>(rows) * shape.kv_width();
    const Floats own_keys(k.begin() + first_own, k.begin() + end_own), own_values(v.begin() + first_own, v.begin() + end_own);
    // Attention sees the keys and values as the cache holds them.
    const Floats keys = read_cache(kv.keys, kv), values = read_cache(kv.values, kv);
    const Tolerance stored = half ? f16_storage : f32_elements;
    expect_close(Floats(keys.begin() + first_own, keys.begin() + end_own), own_keys, stored, what + ": keys");
    expect_close(Floats(values.begin() + first_own, values.begin() + end_own), own_values, stored, what + ": values");
    expect_same(Floats(keys.begin(), keys.begin() + first_own), Floats(k.begin(), k.begin() + first_own), what + ": earlier keys");
    expect_same(Floats(values.begin(), values.begin() + first_own), Floats(v.begin(), v.begin() + first_own), what + ": earlier values");
    for (size_t i = static_cast<size_t>(end_own); i < keys.size(); ++i)
      ASSERT_TRUE(std::isnan(keys[i]) && std::isnan(values[i])) << what << ": written beyond the rows, at element " << i;
    Floats q;
    for (uint32_t row = 0; row < rows; ++row) q.insert(q.end(), qkv.begin() + row * width, qkv.begin() + row * width + shape.query_width());
    expect_close(read(out), scalar::attention(q, keys, values, shape, mask, length), attention_tolerance, what);
  }
};

// The row's own key is the only one, the last of a chunk, the first of the next, in the middle of the third.
TEST_F(RopeAttention, OneRow) {
  for (bool half : {false, true})
    for (uint32_t length : {0u, 1u, 5u, 126u, 127u, 128u, 300u}) check(1, length, {8, 2, 64}, half);
  for (bool half : {false, true})
    for (uint32_t head_dim : {8u, 16u, 32u, 80u, 128u, 256u}) check(1, 130, {head_dim == 256 ? 2u : 6u, 2, head_dim}, half);
  check(1, 130, {8, 1, 128}, true);
  check(1, 0, {3, 1, 16}, false);
  g.arrivals = {};
  check(1, 130, {6, 2, 64}, true);
}

// As on devices whose lanes have the registers for it.
TEST_F(RopeAttention, WithMoreValuesOnTheirWay) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.loads_ahead = 16;
  for (uint32_t length : {0u, 127u, 200u}) check(1, length, {8, 2, 64}, true);
  check(1, 130, {4, 2, 8}, true);
  check(1, 130, {4, 1, 128}, false);
  quirks = real;
}

TEST_F(RopeAttention, MoreRowsAreWrittenFirst) {
  for (uint32_t rows : {2u, 8u, 17u}) check(rows, 130, {4, 2, 64}, true, 2);
}

// With the row's own key and value a group of nine such heads no longer fits the shared memory that every device has.
TEST_F(RopeAttention, ManyHeadsOfOneKeyHead) { check(1, 150, {9, 1, 256}, false, 2); }

// Scores of hundreds: exp must see only differences from the maximum.
TEST_F(Attention, LargeScores) {
  check(1, 300, {8, 2, 64}, Mask::causal, true, 100);
  check(65, 129, {4, 2, 16}, Mask::causal, false, 200);
}

TEST_F(Attention, VeryNegativeScores) { very_negative_scores(1, 2, false); }

// A group whose scores and queries would not fit the 32 KiB of shared memory that every device has.
TEST_F(Attention, ManyHeadsOfOneKeyHead) {
  check(1, 20, {32, 1, 128}, Mask::all, false);
  check(2, 20, {40, 1, 8}, Mask::all, false);
  check(1, 150, {10, 1, 128}, Mask::all, true);  // the largest group that fits
}

TEST_F(Attention, HeadsThatNoKernelHoldsAreRefused) {
  for (uint32_t head_dim : {180u, 256u}) {
    Floats k(2 * head_dim, 0.0f), v(2 * head_dim, 0.0f);
    const KvCache kv = cache(2, head_dim, false, k, v);
    const Tensor q = input(9, head_dim, Floats(9 * head_dim, 0.0f)), out = output(9, head_dim);
    EXPECT_THROW(ops::attention(g, q, kv, {1, 1, head_dim}, {Mask::all, 2}, out), Error) << head_dim;
  }
}

// Enough work that the rows are cut into several dispatches.
TEST_F(Attention, CutByRows) {
  constexpr uint32_t rows = 200, length = 4000;
  const HeadShape shape{2, 1, 16};
  Random random(5);
  Floats k = random.floats(length * 16), v = random.floats(length * 16);
  const Floats q = random.floats(rows * 32);
  const KvCache kv = cache(length, 16, false, k, v);
  const Tensor in = input(rows, 32, q), out = output(rows, 32);
  const AttentionMask mask{Mask::all, length};
  ops::attention(g, in, kv, shape, mask, out);
  expect_close(read(out), scalar::attention(q, k, v, shape, mask, 0), attention_tolerance, "200 rows, 4000 keys");
}

// A device so slow that no two heads may share a submission.
TEST_F(Attention, CutByHeads) {
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  quirks.assumed_flops = 1;
  const uint64_t before = recorder.dispatches();
  check(4 * real.attention_side + 18, 40, {6, 2, 16}, Mask::causal, false);
  quirks = real;
  EXPECT_GE(recorder.dispatches() - before, 12u);  // two groups of rows, six heads
}

// A decode step is recorded once and replayed at later positions, past a chunk's end.
TEST_F(Attention, ReplayedAtLaterPositions) {
  const HeadShape shape{4, 1, 32};
  constexpr uint32_t capacity = 300;
  Random random(9);
  Floats k = random.floats(capacity * 32), v = random.floats(capacity * 32);
  const Floats q = random.floats(128);
  const KvCache kv = cache(capacity, 32, true, k, v);
  const Tensor in = input(1, 128, q), out = output(1, 128);
  recorder.sync();
  vk::Slice state;
  uint32_t* position = shared_words(4, state);
  vk::Recorder step(*engine().device, vk::Recorder::Mode::retained);
  Graph recorded{*engine().device, memory, *engine().pipelines, step, arena, Activations::f32, g.arrivals};
  AttentionMask mask{Mask::causal};
  mask.position = {state, 2, 0};
  ops::attention(recorded, in, kv, shape, mask, out);
  for (uint32_t at : {0u, 126u, 127u, 128u, 299u, 3u}) {
    position[2] = at;
    step.replay();
    expect_close(read(out), scalar::attention(q, k, v, shape, mask, at), attention_tolerance, "position " + std::to_string(at));
  }
}

// Masked pairs: padding tokens, and every token of tiles that the picture does not use, do not see one another.
TEST_F(Attention, Vision) {
  for (const Picture& picture : pictures) vision(picture);
  vision({4, 1, 3, 64, {2, 2, 16}});
  vision({3, 2, 1, 40, {1, 1, 32}});
}

class KvWrite : public DeviceTest {
 protected:
  /// The cache holds `capacity` rows of a constant, so that a row written elsewhere shows.
  KvCache filled(uint32_t capacity, uint32_t width, bool half, Floats& keys, Floats& values) {
    keys.assign(static_cast<size_t>(capacity) * width, 2);
    values.assign(keys.size(), 3);
    return cache(capacity, width, half, keys, values);
  }
};

TEST_F(KvWrite, RotatesAndStores) {
  for (bool half : {false, true})
    for (uint32_t head_dim : {8u, 16u, 32u, 64u, 80u, 128u})
      for (uint32_t rows : {1u, 3u, 17u}) {
        const HeadShape shape{4, head_dim == 16 ? 4u : 2u, head_dim};
        const uint32_t width = (shape.heads + 2 * shape.kv_heads) * head_dim, position = 11;
        Random random(rows * 100 + head_dim);
        Floats qkv = random.floats(rows * width), angles = random.floats(rows * head_dim / 2, 3), rotations, keys, values;
        for (float angle : angles) {
          rotations.push_back(std::cos(angle));
          rotations.push_back(std::sin(angle));
        }
        const KvCache kv = filled(position + rows + 2, shape.kv_width(), half, keys, values);
        const Tensor in = output(rows, width, qkv);
        ops::rope_kv_write(g, in, {bytes(rotations.data(), rotations.size() * 4), position}, shape, {words({77, 7}), 1, 4}, kv);
        scalar::rope_kv_write(qkv, rotations, shape, position, keys, values);
        const std::string what = std::to_string(rows) + " rows, " + describe(shape) + (half ? ", f16" : ", f32");
        expect_close(read(in), qkv, f32_elements, what + ": queries");
        expect_close(read_cache(kv.keys, kv), keys, half ? f16_storage : f32_elements, what + ": keys");
        expect_close(read_cache(kv.values, kv), values, half ? f16_storage : f32_elements, what + ": values");
      }
}

TEST_F(KvWrite, Stores) {
  for (bool half : {false, true})
    for (uint32_t width : {8u, 80u, 136u})
      for (uint32_t rows : {1u, 2u, 9u, 65u}) {
        Random random(rows + width);
        const Floats k = random.floats(rows * width), v = random.floats(rows * width);
        Floats keys, values;
        const KvCache kv = filled(rows + 8, width, half, keys, values);
        ops::kv_write(g, input(rows, width, k, 0, 1), input(rows, width, v, 0, 2), kv, 5);
        scalar::kv_write(k, v, width, 5, keys, values);
        const std::string what = std::to_string(rows) + " rows of " + std::to_string(width) + (half ? ", f16" : ", f32");
        expect_close(read_cache(kv.keys, kv), keys, half ? f16_storage : Tolerance{0}, what + ": keys");
        expect_close(read_cache(kv.values, kv), values, half ? f16_storage : Tolerance{0}, what + ": values");
      }
}

}  // namespace
}  // namespace loupe::test
