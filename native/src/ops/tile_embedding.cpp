#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void tile_embedding(Graph& g, const Tensor& x, const Matrix& table, float gate, uint32_t aspect_ratio_id, uint32_t max_tiles) {
  struct Push {
    uint32_t hidden, padded, first;
    float gate;
    uint32_t offset;
  };
  static_assert(sizeof(Push) == 20);
  const TableRow row = table_row(table, aspect_ratio_id);
  const uint32_t padded = x.rows / max_tiles;
  g.run(weight_variant("tile_embedding", table_type(table)), {}, {vk::reads(row.slice), vk::updates(x.slice)},
        Push{x.cols, padded, row.first, gate, x.offset}, {divide_up(x.cols, 64), padded, max_tiles}, {elements(x) * 2, elements(x) * 8});
}

}  // namespace loupe::ops

namespace loupe::scalar {

void tile_embedding(Floats& x, const Floats& table, float gate, uint32_t hidden, uint32_t tiles, uint32_t padded) {
  for (uint32_t tile = 0; tile < tiles; ++tile)
    for (uint32_t token = 0; token < padded; ++token)
      for (uint32_t d = 0; d < hidden; ++d) x[(static_cast<size_t>(tile) * padded + token) * hidden + d] += gate * table[tile * hidden + d];
}

}  // namespace loupe::scalar
