#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {
namespace {

constexpr uint32_t tile = 64;

/// The fragment shape that we have a shader for, best first; empty when there is none.
std::string fragment_shape(const vk::Device& device) {
  for (const vk::MatrixShape& wanted : {vk::MatrixShape{16, 16, 16}, vk::MatrixShape{8, 16, 16}, vk::MatrixShape{8, 8, 8}})
    for (const vk::MatrixShape& offered : device.info().matrix_shapes)
      if (offered.m == wanted.m && offered.n == wanted.n && offered.k == wanted.k)
        return std::to_string(wanted.m) + "x" + std::to_string(wanted.n) + "x" + std::to_string(wanted.k);
  return {};
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
  g.run(weight_variant("matvec", block.dtype),
        {g.device.quirks().matvec_threads, x.rows, norm ? add_norm_epilogue : static_cast<uint32_t>(epilogue.kind)},
        {vk::reads(block.buffer.slice()), vk::reads(x.slice), vk::reads(bias), outputs_of(block, out, epilogue.kind),
         norm ? vk::reads(norm->weight.slice) : unused, norm ? of_all_blocks(norm->out.slice) : unused,
         norm ? of_all_blocks(g.arrivals) : unused},
        Push{weight.stride / 8, block.rows, block.first_row, x.offset / 4, out.offset, out.cols, epilogue.bias != nullptr, epilogue.scale,
             workgroups, norm ? norm->out.offset / 4 : 0, norm ? norm->eps : 0},
        {std::min(groups, fold), divide_up(groups, fold)}, cost_of(block.buffer.slice(), 2 * work * x.rows, 0));
}

/// `weights`: those of the block, or a copy of them.
void tiled(Graph& g, const std::string& shader, std::vector<uint32_t> constants, const Tensor& x, const Matrix& weight,
           const Matrix::Block& block, const vk::Slice& weights, const Tensor& out, const Epilogue& epilogue, const vk::Slice& bias) {
  struct Push {
    uint32_t m, groups, n, first_row, x_offset4, y_offset, y_stride, has_bias;
    float scale;
  };
  static_assert(sizeof(Push) == 36);
  constants.push_back(static_cast<uint32_t>(epilogue.kind));
  g.run(shader, constants, {vk::reads(weights), vk::reads(x.slice), vk::reads(bias), outputs_of(block, out, epilogue.kind)},
        Push{x.rows, weight.stride / 8, block.rows, block.first_row, x.offset / 4, out.offset, out.cols, epilogue.bias != nullptr,
             epilogue.scale},
        {divide_up(block.rows, tile), divide_up(x.rows, tile)},
        cost_of(weights, 2.0 * block.rows * weight.stride * round_up(x.rows, tile), elements(x) * 4 + 4.0 * x.rows * block.rows));
}

}  // namespace

bool has_half_matmul(const vk::Device& device, const vk::Pipelines& pipelines) {
  const std::string shape = fragment_shape(device);
  return !shape.empty() && 4 * device.info().subgroup_size <= device.info().max_workgroup_threads &&
         pipelines.has("coopmat_" + shape + "_bf16");
}

Activations best_activations(const vk::Device& device, const vk::Pipelines& pipelines) {
  return device.quirks().fast_matrices && has_half_matmul(device, pipelines) ? Activations::f16 : Activations::f32;
}

std::string matmul_path(const vk::Device& device, Activations activations) {
  return activations == Activations::f16 ? "cooperative matrices " + fragment_shape(device) + ", float16 inputs" : "tiled, float32";
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
  const std::string shape = g.activations == Activations::f16 ? fragment_shape(g.device) : std::string();
  const std::vector<uint32_t> constants =
      shape.empty() ? std::vector<uint32_t>{} : std::vector<uint32_t>{4 * g.device.info().subgroup_size};
  for (const Matrix::Block& block : weight.blocks) {
    const std::string shader = weight_variant(shape.empty() ? "matmul" : "coopmat_" + shape, block.dtype);
    // No dispatch longer than a submission may be: rows in slices of whole tiles.
    const double flops_a_tile_row = 2.0 * tile * block.rows * weight.stride;
    const double tile_rows = std::clamp(g.recorder.affordable_flops() / flops_a_tile_row, 1.0, 65535.0);
    const uint32_t step = static_cast<uint32_t>(tile_rows) * tile;
    // Every row of tiles reads all weights: over the bus they come once.
    Arena::Scope scope(g.arena);
    vk::Slice weights = block.buffer.slice();
    if (weights.over_bus && x.rows > tile) {
      weights = g.arena.take(weights.size);
      g.recorder.copy(block.buffer.slice(), weights);
    }
    for (uint32_t row = 0; row < x.rows; row += step) {
      const uint32_t count = std::min(step, x.rows - row);
      tiled(g, shader, constants, x.view(row, count), weight, block, weights, out.view(row, count), epilogue, bias);
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
