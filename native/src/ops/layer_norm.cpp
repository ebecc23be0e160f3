#include <cmath>

#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void layer_norm(Graph& g, const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, const Tensor& out, RowMask mask) {
  struct Push {
    uint32_t cols;
    float eps;
    uint32_t group, valid, x_offset, offset;
  };
  static_assert(sizeof(Push) == 24);
  g.run("layer_norm", {reduction_threads(g, x.cols)},
        {vk::reads(x.slice), vk::reads(weight.slice), vk::reads(bias.slice), vk::writes(out.slice)},
        Push{x.cols, eps, mask.group, mask.valid, x.offset, out.offset}, {x.rows}, {elements(x) * 8, elements(x) * 16});
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats layer_norm(const Floats& x, const Floats& weight, const Floats& bias, float eps, ops::RowMask mask) {
  const size_t cols = weight.size();
  Floats out(x.size(), 0.0f);
  for (size_t row = 0; row < x.size() / cols; ++row) {
    if (mask.group && row % mask.group >= mask.valid) continue;
    const float* in = &x[row * cols];
    double mean = 0, variance = 0;
    for (size_t i = 0; i < cols; ++i) mean += in[i];
    mean /= static_cast<double>(cols);
    for (size_t i = 0; i < cols; ++i) variance += (in[i] - mean) * (in[i] - mean);
    const double scale = 1 / std::sqrt(variance / static_cast<double>(cols) + eps);
    for (size_t i = 0; i < cols; ++i) out[row * cols + i] = static_cast<float>((in[i] - mean) * scale * weight[i] + bias[i]);
  }
  return out;
}

}  // namespace loupe::scalar
