#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void patchify(Graph& g, const vk::Slice& pixels, const PatchGeometry& geometry, const Tensor& out) {
  struct Push {
    uint32_t size, patch_size, num_tiles, cols, offset;
    std::array<float, 3> mean, std;
  };
  static_assert(sizeof(Push) == 44);
  g.run("patchify", {}, {vk::reads(pixels), vk::writes(out.slice)},
        Push{geometry.tile_size, geometry.patch_size, geometry.num_tiles, out.cols, out.offset, geometry.mean, geometry.std},
        {divide_up(out.cols, 64), out.rows}, {elements(out) * 4, elements(out) * 5});
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats patchify(std::span<const uint8_t> pixels, const ops::PatchGeometry& geometry, uint32_t cols) {
  const uint32_t size = geometry.tile_size, patch = geometry.patch_size, grid = size / patch;
  Floats out(static_cast<size_t>(geometry.max_tiles) * grid * grid * cols, 0.0f);
  for (uint32_t tile = 0; tile < geometry.num_tiles; ++tile)
    for (uint32_t y = 0; y < size; ++y)
      for (uint32_t x = 0; x < size; ++x)
        for (uint32_t c = 0; c < 3; ++c) {
          const size_t row = static_cast<size_t>(tile) * grid * grid + y / patch * grid + x / patch;
          const float byte = pixels[((static_cast<size_t>(tile) * size + y) * size + x) * 3 + c];
          out[row * cols + (c * patch + y % patch) * patch + x % patch] = (byte / 255.0f - geometry.mean[c]) / geometry.std[c];
        }
  return out;
}

}  // namespace loupe::scalar
