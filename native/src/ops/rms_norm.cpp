#include <cmath>

#include "base/error.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void rms_norm(Graph& g, const Tensor& x, const Tensor& weight, float eps, const Tensor& out) {
  struct Push {
    uint32_t cols;
    float eps;
    uint32_t x_offset, offset;
  };
  static_assert(sizeof(Push) == 16);
  if (x.cols % 4 || x.offset % 4 || out.offset % 4)
    throw Error(ErrorCode::internal, "rms_norm: rows of " + std::to_string(x.cols) + " elements are not whole groups of 4.");
  const uint32_t threads = reduction_threads(g, x.cols);
  // In place is allowed: a workgroup reads its row before it writes it.
  const bool in_place = x.slice.buffer == out.slice.buffer && x.slice.offset == out.slice.offset;
  g.run("rms_norm", {threads, divide_up(x.cols / 4, threads)},
        {vk::reads(x.slice), vk::reads(weight.slice), in_place ? vk::updates(out.slice) : vk::writes(out.slice)},
        Push{x.cols, eps, x.offset, out.offset}, {x.rows}, {elements(x) * 4, elements(x) * 12});
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats rms_norm(const Floats& x, const Floats& weight, float eps) {
  const size_t cols = weight.size();
  Floats out(x.size());
  for (size_t row = 0; row < x.size() / cols; ++row) {
    double squares = 0;
    for (size_t i = 0; i < cols; ++i) squares += static_cast<double>(x[row * cols + i]) * x[row * cols + i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(cols) + eps);
    for (size_t i = 0; i < cols; ++i) out[row * cols + i] = static_cast<float>(x[row * cols + i] * scale * weight[i]);
  }
  return out;
}

}  // namespace loupe::scalar
