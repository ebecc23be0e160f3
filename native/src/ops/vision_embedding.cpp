#include "base/error.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void vision_embedding(Graph& g, const Tensor& patches, const VisionEmbeddingWeights& weights, uint32_t aspect_ratio_id, uint32_t max_tiles,
                      uint32_t padded, const Tensor& out) {
  struct Push {
    uint32_t hidden, tokens, padded, tile_position_first, pre_first;
    float tile_position_gate, pre_gate;
    uint32_t patches_offset, offset;
  };
  static_assert(sizeof(Push) == 36);
  if (table_type(weights.tile_position) != table_type(weights.pre_tile))
    throw Error(ErrorCode::internal, "The tile tables of the vision embedding have different types.");
  const TableRow tile_position = table_row(weights.tile_position, aspect_ratio_id), pre = table_row(weights.pre_tile, aspect_ratio_id);
  g.run(weight_variant("vision_embedding", table_type(weights.tile_position)), {},
        {vk::reads(tile_position.slice), vk::reads(patches.slice), vk::reads(weights.class_embedding.slice),
         vk::reads(weights.position_embedding.slice), vk::reads(pre.slice), vk::writes(out.slice)},
        Push{out.cols, weights.position_embedding.rows, padded, tile_position.first, pre.first, weights.tile_position_gate,
             weights.pre_tile_gate, patches.offset, out.offset},
        {divide_up(out.cols, 64), padded, max_tiles}, {elements(out) * 4, elements(out) * 12});
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats vision_embedding(const Floats& patches, const VisionEmbedding& weights, uint32_t hidden, uint32_t tiles, uint32_t tokens,
                        uint32_t padded) {
  Floats out(static_cast<size_t>(tiles) * padded * hidden, 0.0f);
  for (uint32_t tile = 0; tile < tiles; ++tile)
    for (uint32_t token = 0; token < tokens; ++token)
      for (uint32_t d = 0; d < hidden; ++d) {
        float value = token == 0 ? weights.class_embedding[d]
                                 : patches[(static_cast<size_t>(tile) * (tokens - 1) + token - 1) * hidden + d] +
                                       weights.pre_tile_gate * weights.pre_tile[tile * hidden + d];
        value += weights.position_embedding[token * hidden + d];
        value += weights.tile_position_gate * weights.tile_position[(static_cast<size_t>(tile) * tokens + token) * hidden + d];
        out[(static_cast<size_t>(tile) * padded + token) * hidden + d] = value;
      }
  return out;
}

}  // namespace loupe::scalar
