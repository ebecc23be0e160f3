#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/common.h"
#include "ops/matrix_tiles.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

std::optional<vk::MatrixShape> matrix_shape(const vk::Device& device) {
  for (const vk::MatrixShape& wanted : {vk::MatrixShape{16, 16, 16}, {8, 16, 16}, {8, 8, 16}, {8, 8, 8}})
    for (const vk::MatrixShape& offered : device.info().matrix_shapes)
      if (offered.m == wanted.m && offered.n == wanted.n && offered.k == wanted.k) return wanted;
  return {};
}

std::string to_string(const vk::MatrixShape& shape) {
  return std::to_string(shape.m) + "x" + std::to_string(shape.n) + "x" + std::to_string(shape.k);
}

namespace {

/// A card of 2022 runs 60 to 130 workgroups at a time.
constexpr uint32_t few_workgroups = 96;

/// Null for subgroups of a size that has no tiles.
const MatrixTiles* tiles_of(const vk::Device& device) {
  for (const MatrixTiles& tiles : matrix_tiles)
    if (tiles.subgroup == device.matrix_subgroup()) return &tiles;
  return nullptr;
}

vk::MatrixTile matrix_tile(const vk::Device& device, uint32_t rows, uint32_t columns) {
  if (device.quirks().matrix_tile) return *device.quirks().matrix_tile;
  const MatrixTiles& tiles = *tiles_of(device);
  const vk::MatrixTile& large = device.quirks().large_matrix_tile ? *device.quirks().large_matrix_tile : tiles.large;
  const bool fills = divide_up(rows, large.rows) * divide_up(columns, large.columns) >= few_workgroups;
  return fills && rows > large.rows / 2 ? large : tiles.small;
}

vk::Cost cost_of(const vk::Slice& weights, double flops, double other_bytes) {
  const double bytes = static_cast<double>(weights.size);
  return {flops, bytes + other_bytes, weights.over_bus ? bytes : 0};
}

/// The outputs of one block, which no other block of its matrix touches.
vk::Binding outputs_of(const Matrix::Block& block, const Tensor& out, Epilogue::Kind kind) {
  const uint32_t weights_an_output = kind == Epilogue::Kind::silu_mul ? 2 : 1;
  return vk::updates(out.slice, {4ull * (block.first_row / weights_an_output), 4ull * (block.rows / weights_an_output), 4ull * out.cols,
                                 4ull * out.offset});
}

/// An RMS norm of all outputs, left by the last workgroup of a product.
struct NormBehind {
  const Tensor& weight;
  float eps;
  const Tensor& out;
};

void matvec(Graph& g, const Tensor& x, const Matrix& weight, const Matrix::Block& block, const Tensor& out, const Epilogue& epilogue,
            const vk::Slice& bias, const NormBehind* norm = nullptr) {
  struct Push {
    uint32_t groups, n, first_row, x_offset4, y_offset, y_stride, has_bias;
    float scale;
    uint32_t workgroups, normed_offset4;
    float eps;
  };
  static_assert(sizeof(Push) == 44);
  constexpr uint32_t rows_a_group = 4, fold = 32768, add_norm_epilogue = 4;
  const uint32_t groups = divide_up(block.rows, rows_a_group);
  const double work = static_cast<double>(block.rows) * weight.stride;
  uint32_t workgroups = 0;
  for (const Matrix::Block& one : weight.blocks) workgroups += divide_up(one.rows, rows_a_group);
  // A binding must be something. What the blocks of a product count, and what the last of them writes, is ordered by the count:
  // the recorder hears of a byte of its own for each block, so that it puts no barrier between them.
  const vk::Binding unused = vk::reads(x.slice);
  const auto of_all_blocks = [&](const vk::Slice& slice) { return vk::updates(slice, {block.first_row, 1, weight.rows}); };
  const vk::Quirks& quirks = g.device.quirks();
  std::vector<uint32_t> constants{quirks.matvec_threads, x.rows, static_cast<uint32_t>(epilogue.kind)};
  if (norm) constants = {quirks.matvec_threads, x.rows, add_norm_epilogue, quirks.loads_ahead};
  if (quirks.unit_reading && info(block.dtype).block > 1) {
    constants.resize(3);
    constants.insert(constants.end(), {quirks.loads_ahead, quirks.unit_reading});
  }
  g.run(weight_variant("matvec", block.dtype), constants,
        {vk::reads(block.buffer.slice()), vk::reads(x.slice), vk::reads(bias), outputs_of(block, out, epilogue.kind),
         norm ? vk::reads(norm->weight.slice) : unused, norm ? of_all_blocks(norm->out.slice) : unused,
         norm ? of_all_blocks(g.arrivals) : unused},
        Push{weight.stride / 8, block.rows, block.first_row, x.offset / 4, out.offset, out.cols, epilogue.bias != nullptr, epilogue.scale,
             workgroups, norm ? norm->out.offset / 4 : 0, norm ? norm->eps : 0},
        {std::min(groups, fold), divide_up(groups, fold)}, cost_of(block.buffer.slice(), 2 * work * x.rows, 0));
}

/// How products of many rows are computed: the kernel with its constants, and the outputs of a workgroup.
struct Tiling {
  std::string shader;
  std::vector<uint32_t> constants;
  uint32_t rows = 64, columns = 64;
};

bool on_matrix_units(const Graph& g) { return g.activations == Activations::f16 && matrix_shape(g.device); }

Tiling tiling_of(const Graph& g, uint32_t rows, const Matrix::Block& block) {
  if (!on_matrix_units(g)) return {weight_variant("matmul", block.dtype), {}};
  const vk::MatrixTile tile = matrix_tile(g.device, rows, block.rows);
  const uint32_t threads = subgroups_of(tile) * g.device.matrix_subgroup();
  return {weight_variant("coopmat_" + to_string(*matrix_shape(g.device)), block.dtype),
          {threads, tile.rows, tile.columns, tile.subgroup_rows, tile.subgroup_columns, threads, tile.ahead},
          tile.rows,
          tile.columns};
}

/// Rows that enter a tiled product: those of a tensor of float32, or of a copy in float16.
struct Rows {
  vk::Slice slice;
  uint32_t offset;  ///< of the first: in four elements of float32, in rows of float16
};

/// `weights`: those of the block, or a copy of them.
void tiled(Graph& g, Tiling tiling, const Rows& x, uint32_t m, const Matrix& weight, const Matrix::Block& block, const vk::Slice& weights,
           const Tensor& out, const Epilogue& epilogue, const vk::Slice& bias) {
  struct Push {
    uint32_t m, groups, n, first_row, x_offset, y_offset, y_stride, has_bias;
    float scale;
  };
  static_assert(sizeof(Push) == 36);
  tiling.constants.push_back(static_cast<uint32_t>(epilogue.kind));
  g.run(tiling.shader, tiling.constants, {vk::reads(weights), vk::reads(x.slice), vk::reads(bias), outputs_of(block, out, epilogue.kind)},
        Push{m, weight.stride / 8, block.rows, block.first_row, x.offset, out.offset, out.cols, epilogue.bias != nullptr, epilogue.scale},
        {divide_up(block.rows, tiling.columns), divide_up(m, tiling.rows)},
        cost_of(weights, 2.0 * block.rows * weight.stride * round_up(m, tiling.rows), 4.0 * m * (weight.stride + block.rows)));
}

/// Kernels of blocks want another order of every four elements (half_weights.glsl).
bool ordered_by_blocks(DType dtype) { return info(dtype).block > 1; }

/// x as matrix units take it, once for all tiles: float16, rows filled up to whole steps of 32 with zeros.
vk::Slice to_half(Graph& g, const Tensor& x, bool by_blocks) {
  struct Push {
    uint32_t groups, x_offset4;
  };
  static_assert(sizeof(Push) == 8);
  const uint32_t cols = round_up(x.cols, 32);
  const vk::Slice halves = g.arena.take(2ull * x.rows * cols);
  g.run("to_half", {by_blocks}, {vk::reads(x.slice), vk::writes(halves)}, Push{x.cols / 8, x.offset / 4}, {divide_up(cols / 8, 64), x.rows},
        {0, 6 * elements(x)});
  return halves;
}

}  // namespace

bool has_half_matmul(const vk::Device& device, const vk::Pipelines& pipelines) {
  const std::optional<vk::MatrixShape> shape = matrix_shape(device);
  const MatrixTiles* tiles = tiles_of(device);
  return shape && tiles && subgroups_of(tiles->large) * tiles->subgroup <= device.info().max_workgroup_threads &&
         pipelines.has("coopmat_" + to_string(*shape) + "_bf16");
}

Activations best_activations(const vk::Device& device, const vk::Pipelines& pipelines) {
  return device.quirks().fast_matrices && has_half_matmul(device, pipelines) ? Activations::f16 : Activations::f32;
}

std::string matmul_path(const vk::Device& device, Activations activations) {
  const std::optional<vk::MatrixShape> shape = matrix_shape(device);
  return activations == Activations::f16 && shape ? "cooperative matrices " + to_string(*shape) + ", float16 inputs" : "tiled, float32";
}

namespace {

void check_shapes(const Tensor& x, const Matrix& weight, const Tensor& out, const Epilogue& epilogue) {
  const uint32_t width = epilogue.kind == Epilogue::Kind::silu_mul ? weight.rows / 2 : weight.rows;
  if (x.cols != weight.stride || out.cols != width || out.rows != x.rows || x.offset % 4 ||
      (epilogue.kind == Epilogue::Kind::silu_mul && weight.rows % 2))
    throw Error(ErrorCode::internal, "matmul: [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) + "] by [" +
                                         std::to_string(weight.rows) + ", " + std::to_string(weight.cols) + "] into [" +
                                         std::to_string(out.rows) + ", " + std::to_string(out.cols) + "].");
}

}  // namespace

void matmul(Graph& g, const Tensor& x, const Matrix& weight, const Tensor& out, const Epilogue& epilogue) {
  check_shapes(x, weight, out, epilogue);
  // A binding must be something: without a bias any buffer that is only read serves.
  const vk::Slice bias = epilogue.bias ? epilogue.bias->slice : x.slice;
  if (x.rows <= matvec_rows) {
    for (const Matrix::Block& block : weight.blocks) matvec(g, x, weight, block, out, epilogue, bias);
    return;
  }
  Arena::Scope of_halves(g.arena);
  vk::Slice halves[2];
  for (const Matrix::Block& block : weight.blocks) {
    const Tiling tiling = tiling_of(g, x.rows, block);
    vk::Slice& half = halves[ordered_by_blocks(block.dtype)];
    if (on_matrix_units(g) && !half) half = to_half(g, x, ordered_by_blocks(block.dtype));
    // No dispatch longer than a submission may be: rows in slices of whole tiles.
    const double flops_a_tile_row = 2.0 * tiling.rows * block.rows * weight.stride;
    const double tile_rows = std::clamp(g.recorder.affordable_flops() / flops_a_tile_row, 1.0, 65535.0);
    const uint32_t step = static_cast<uint32_t>(tile_rows) * tiling.rows;
    // Every row of tiles reads all weights: over the bus they come once.
    Arena::Scope of_weights(g.arena);
    vk::Slice weights = block.buffer.slice();
    if (weights.over_bus && x.rows > tiling.rows) {
      weights = g.arena.take(weights.size);
      g.recorder.copy(block.buffer.slice(), weights);
    }
    for (uint32_t row = 0; row < x.rows; row += step) {
      const uint32_t count = std::min(step, x.rows - row);
      const Tensor part = x.view(row, count);
      const Rows from = half ? Rows{half, row} : Rows{part.slice, part.offset / 4};
      tiled(g, tiling, from, count, weight, block, weights, out.view(row, count), epilogue, bias);
    }
  }
}

void add_norm(Graph& g, const Tensor& in, const Matrix& weight, float scale, const Tensor& x, const Tensor& norm, float eps,
              const Tensor& normed) {
  const Epilogue add{Epilogue::Kind::add, nullptr, scale};
  if (in.rows > matvec_rows || !g.arrivals || x.cols % 4 || x.offset % 4) {
    matmul(g, in, weight, x, add);
    rms_norm(g, x, norm, eps, normed);
    return;
  }
  check_shapes(in, weight, x, add);
  const NormBehind behind{norm, eps, normed};
  for (const Matrix::Block& block : weight.blocks) matvec(g, in, weight, block, x, add, in.slice, &behind);
}

}  // namespace loupe::ops

namespace loupe::scalar {

void matmul(const Floats& x, const Floats& weight, uint32_t m, uint32_t k, uint32_t n, ops::Epilogue::Kind kind, const Floats* bias,
            float scale, Floats& out) {
  using Kind = ops::Epilogue::Kind;
  auto product = [&](uint32_t row, uint32_t column) {
    double sum = bias ? (*bias)[column] : 0;
    for (uint32_t i = 0; i < k; ++i) sum += static_cast<double>(x[row * k + i]) * weight[column * k + i];
    return sum;
  };
  const uint32_t width = kind == Kind::silu_mul ? n / 2 : n;
  for (uint32_t row = 0; row < m; ++row)
    for (uint32_t j = 0; j < width; ++j) {
      float& y = out[row * width + j];
      if (kind == Kind::silu_mul) {
        const double gate = product(row, 2 * j);
        y = static_cast<float>(gate / (1 + std::exp(-gate)) * product(row, 2 * j + 1));
        continue;
      }
      const double v = product(row, j);
      if (kind == Kind::gelu)
        y = static_cast<float>(0.5 * v * (1 + std::erf(v * std::sqrt(0.5))));
      else if (kind == Kind::add)
        y += static_cast<float>(scale * v);
      else
        y = static_cast<float>(v);
    }
}

Floats add_norm(const Floats& in, const Floats& weight, uint32_t m, uint32_t k, float scale, const Floats& norm, float eps, Floats& x) {
  matmul(in, weight, m, k, static_cast<uint32_t>(norm.size()), ops::Epilogue::Kind::add, nullptr, scale, x);
  return rms_norm(x, norm, eps);
}

}  // namespace loupe::scalar
