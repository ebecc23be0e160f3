// Embeddings, norms and the layout ops of the vision encoder.
#include "base/error.h"
#include "support.h"

namespace loupe::test {
namespace {

constexpr DType dtypes[] = {DType::f32, DType::f16, DType::bf16};

class Embeddings : public DeviceTest {};

TEST_F(Embeddings, LooksTokensUp) {
  for (DType dtype : dtypes)
    for (uint32_t block_rows : {0u, 64u})
      for (uint32_t cols : {8u, 72u, 13u}) {
        Floats table = Random(cols).floats(200 * cols);
        const Matrix stored = matrix(200, cols, dtype, table, block_rows);
        const std::vector<uint32_t> tokens{0, 63, 64, 199, 127, 128, 5, 5, 191};
        const Tensor out = output(static_cast<uint32_t>(tokens.size()), cols);
        const vk::Slice list = words(tokens);
        recorder.sync();  // what fills the inputs
        const uint64_t barriers = recorder.barriers();
        ops::embedding(g, stored, list, out);
        EXPECT_EQ(recorder.barriers(), barriers) << "blocks write different rows";
        expect_same(read(out), scalar::embedding(table, cols, tokens),
                    std::string(to_string(dtype)) + ", width " + std::to_string(cols) + (block_rows ? ", blocks of 64" : ""));
      }
}

TEST_F(Embeddings, VisionTokens) {
  for (DType dtype : dtypes)
    for (uint32_t hidden : {16u, 72u}) {
      constexpr uint32_t max_tiles = 4, patches = 9, tokens = 10, padded = 16, aspect_ratio_id = 6;
      Random random(hidden);
      const Floats x = random.floats(max_tiles * patches * hidden), class_embedding = random.floats(hidden),
                   position = random.floats(tokens * hidden);
      Floats tile_position = random.floats(9 * max_tiles * tokens * hidden), pre = random.floats(9 * max_tiles * hidden);
      const Matrix tile_position_table = matrix(9, max_tiles * tokens * hidden, dtype, tile_position),
                   pre_table = matrix(9, max_tiles * hidden, dtype, pre);
      const auto of_ratio = [&](const Floats& table) {
        const auto row = static_cast<std::ptrdiff_t>(table.size() / 9);
        return Floats(table.begin() + aspect_ratio_id * row, table.begin() + (aspect_ratio_id + 1) * row);
      };
      const Tensor class_row = row(class_embedding), positions = input(tokens, hidden, position), out = output(max_tiles * padded, hidden);
      ops::vision_embedding(g, input(max_tiles * patches, hidden, x, 0, 1),
                            {class_row, positions, tile_position_table, pre_table, 0.7f, -0.3f}, aspect_ratio_id, max_tiles, padded, out);
      const Floats expected = scalar::vision_embedding(x, {class_embedding, position, of_ratio(tile_position), of_ratio(pre), 0.7f, -0.3f},
                                                       hidden, max_tiles, tokens, padded);
      const Floats actual = read(out);
      expect_close(actual, expected, f32_elements, std::string(to_string(dtype)) + ", hidden " + std::to_string(hidden));
      for (uint32_t tile = 0; tile < max_tiles; ++tile)
        for (uint32_t i = tokens * hidden; i < padded * hidden; ++i)
          ASSERT_EQ(actual[tile * padded * hidden + i], 0.0f) << "padding of tile " << tile;
    }
}

TEST_F(Embeddings, TablesOfTwoTypesAreRefused) {
  Floats tile_position(9 * 2 * 5 * 8, 1.0f), pre(9 * 2 * 8, 1.0f);
  const Matrix halves = matrix(9, 2 * 5 * 8, DType::bf16, tile_position), floats = matrix(9, 2 * 8, DType::f32, pre);
  const Tensor class_row = row(Floats(8, 1.0f)), positions = input(5, 8, Floats(40, 1.0f)), out = output(16, 8);
  EXPECT_THROW(ops::vision_embedding(g, input(8, 8, Floats(64, 1.0f)), {class_row, positions, halves, floats}, 1, 2, 8, out), Error);
}

TEST_F(Embeddings, Tiles) {
  for (DType dtype : dtypes)
    for (uint32_t hidden : {16u, 72u}) {
      constexpr uint32_t max_tiles = 4, padded = 9, aspect_ratio_id = 8;
      Random random(hidden);
      Floats x = random.floats(max_tiles * padded * hidden), table = random.floats(9 * max_tiles * hidden);
      const Matrix stored = matrix(9, max_tiles * hidden, dtype, table);
      const Tensor at = output(max_tiles * padded, hidden, x);
      ops::tile_embedding(g, at, stored, 0.6f, aspect_ratio_id, max_tiles);
      scalar::tile_embedding(x, Floats(table.begin() + aspect_ratio_id * max_tiles * hidden, table.end()), 0.6f, hidden, max_tiles, padded);
      expect_close(read(at), x, f32_elements, std::string(to_string(dtype)) + ", hidden " + std::to_string(hidden));
    }
}

TEST_F(Embeddings, RowsOutsideATableAreRefused) {
  Floats table(9 * 16, 1.0f);
  const Matrix stored = matrix(9, 16, DType::f32, table);
  EXPECT_THROW(ops::tile_embedding(g, output(8, 8), stored, 1, 9, 2), Error);
}

class Vision : public DeviceTest {};

TEST_F(Vision, Patches) {
  struct Shape {
    uint32_t size, patch, max_tiles, num_tiles, cols;
  };
  for (const Shape& s : {Shape{28, 14, 4, 3, 592}, Shape{12, 4, 4, 1, 48}, Shape{9, 3, 2, 2, 32}}) {
    Random random(s.size);
    std::vector<uint8_t> pixels(s.num_tiles * s.size * s.size * 3);
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.below(256));
    const ops::PatchGeometry geometry{s.size, s.patch, s.max_tiles, s.num_tiles, {0.48f, 0.46f, 0.41f}, {0.27f, 0.26f, 0.28f}};
    std::vector<uint8_t> whole_words = pixels;
    whole_words.resize((pixels.size() + 3) / 4 * 4);
    const Tensor out = output(s.max_tiles * geometry.patches_per_tile(), s.cols);
    ops::patchify(g, bytes(whole_words.data(), whole_words.size()), geometry, out);
    expect_close(read(out), scalar::patchify(pixels, geometry, s.cols), f32_elements,
                 "tiles of " + std::to_string(s.size) + ", patches of " + std::to_string(s.patch));
  }
}

TEST_F(Vision, GathersFeatures) {
  constexpr uint32_t max_tiles = 4, padded = 16, tokens = 10;
  for (uint32_t hidden : {8u, 72u})
    for (uint32_t count : {0u, 1u, 5u})
      for (uint32_t tile : {0u, 3u}) {
        Random random(hidden + count);
        const Floats final_state = random.floats(max_tiles * padded * hidden);
        std::vector<Floats> states(count);
        std::vector<Tensor> inputs;
        for (Floats& state : states) {
          state = random.floats(final_state.size());
          inputs.push_back(input(max_tiles * padded, hidden, state));
        }
        const Tensor out = output(tokens, hidden * (1 + count));
        ops::gather_features(g, input(max_tiles * padded, hidden, final_state), inputs, tile, padded, tokens, out);
        expect_same(read(out), scalar::gather_features(final_state, states, hidden, tile, padded, tokens),
                    std::to_string(count) + " intermediate states of " + std::to_string(hidden) + ", tile " + std::to_string(tile));
      }
}

class Norms : public DeviceTest {};

TEST_F(Norms, LayerNorm) {
  for (uint32_t cols : {1u, 8u, 72u, 255u, 256u, 264u, 1280u})
    for (uint32_t rows : {1u, 7u, 65u}) {
      Random random(rows * 7 + cols);
      const Floats x = random.floats(rows * cols, 3), weight = random.floats(cols), bias = random.floats(cols);
      const Tensor out = output(rows, cols), weight_row = row(weight), bias_row = row(bias);
      ops::layer_norm(g, input(rows, cols, x, 0, 1), weight_row, bias_row, 1e-5f, out);
      expect_close(read(out), scalar::layer_norm(x, weight, bias, 1e-5f, {}), f32_sums,
                   std::to_string(rows) + " x " + std::to_string(cols));
    }
}

TEST_F(Norms, LayerNormMasksRows) {
  Random random(1);
  const Floats x = random.floats(32 * 72), weight = random.floats(72), bias = random.floats(72);
  const Tensor in = input(32, 72, x), weight_row = row(weight), bias_row = row(bias);
  for (const ops::RowMask mask : {ops::RowMask{8, 5}, ops::RowMask{16, 16}, ops::RowMask{32, 1}, ops::RowMask{4, 0}}) {
    const Tensor out = output(32, 72);
    ops::layer_norm(g, in, weight_row, bias_row, 1e-5f, out, mask);
    expect_close(read(out), scalar::layer_norm(x, weight, bias, 1e-5f, mask), f32_sums,
                 "the first " + std::to_string(mask.valid) + " of every " + std::to_string(mask.group));
  }
}

// A mean a thousand times the deviation: one-pass variance would lose all but one digit. The inputs themselves
// are only exact to 6e-5 of the deviation, but the twin gets the same inputs; what differs is the mean's rounding.
TEST_F(Norms, LayerNormOfLargeMeans) {
  Random random(2);
  Floats x = random.floats(3 * 1280);
  for (float& value : x) value += 1000;
  const Floats weight(1280, 1.0f), bias(1280, 0.0f);
  const Tensor out = output(3, 1280), weight_row = row(weight), bias_row = row(bias);
  ops::layer_norm(g, input(3, 1280, x), weight_row, bias_row, 1e-5f, out);
  expect_close(read(out), scalar::layer_norm(x, weight, bias, 1e-5f, {}), {3e-4}, "mean 1000");
}

TEST_F(Norms, RmsNorm) {
  for (uint32_t cols : {4u, 8u, 72u, 256u, 264u, 4096u})
    for (uint32_t rows : {1u, 9u, 64u}) {
      if (rows * cols > 40000) continue;
      Random random(rows * 11 + cols);
      const Floats x = random.floats(rows * cols, 3), weight = random.floats(cols);
      const Tensor out = output(rows, cols), weight_row = row(weight);
      ops::rms_norm(g, input(rows, cols, x, 0, 1), weight_row, 1e-5f, out);
      expect_close(read(out), scalar::rms_norm(x, weight, 1e-5f), f32_sums, std::to_string(rows) + " x " + std::to_string(cols));
    }
}

TEST_F(Norms, RmsNormOfRowsThatAreNotWholeGroupsIsRefused) {
  const Tensor in = input(2, 6, Floats(12, 1.0f)), out = output(2, 6), weight_row = row(Floats(6, 1.0f));
  EXPECT_THROW(ops::rms_norm(g, in, weight_row, 1e-5f, out), Error);
}

TEST_F(Norms, RmsNormInPlace) {
  const Floats x = Random(4).floats(9 * 72, 3), weight = Random(5).floats(72);
  const Tensor at = output(9, 72, x), weight_row = row(weight);
  ops::rms_norm(g, at, weight_row, 1e-5f, at);
  expect_close(read(at), scalar::rms_norm(x, weight, 1e-5f), f32_sums, "in place");
}

// Rows of zeros: eps alone keeps the result finite.
TEST_F(Norms, Zeros) {
  const Floats weight(72, 1.0f), bias(72, 0.5f);
  const Tensor in = input(2, 72, Floats(144, 0.0f)), a = output(2, 72), b = output(2, 72), weight_row = row(weight), bias_row = row(bias);
  ops::rms_norm(g, in, weight_row, 1e-5f, a);
  ops::layer_norm(g, in, weight_row, bias_row, 1e-5f, b);
  expect_same(read(a), Floats(144, 0.0f), "rms_norm");
  expect_same(read(b), Floats(144, 0.5f), "layer_norm");
}

}  // namespace
}  // namespace loupe::test
