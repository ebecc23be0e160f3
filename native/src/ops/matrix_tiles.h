#pragma once
// How products on matrix units are divided, by the size of subgroups (shaders/matmul_coopmat.comp).

#include "vk/quirks.h"

namespace loupe::ops {

/// Tiles for subgroups of one size: as large as the registers hold without spilling, since every output more of a tile saves
/// reads of shared memory and of caches. The small ones are for products that would not fill a device otherwise.
struct MatrixTiles {
  uint32_t subgroup;
  vk::MatrixTile large, small;
};

// By counts of the compilers for RDNA3, Ada, Xe2 and Arc A (docs/decisions/0038-products-by-device.md).
constexpr MatrixTiles matrix_tiles[] = {
    {64, {128, 128, 64, 64}, {64, 64, 64, 32}},
    {32, {128, 128, 64, 32}, {64, 64, 32, 32}},
    {16, {64, 128, 32, 16}, {32, 64, 16, 16}},
    {8, {64, 64, 16, 16, false}, {32, 64, 16, 8, false}},
};

constexpr uint32_t subgroups_of(const vk::MatrixTile& tile) {
  return tile.rows / tile.subgroup_rows * (tile.columns / tile.subgroup_columns);
}

/// Subgroups divide a tile, and its threads the loads of a step: four pieces of a row of x and of weights, two of blocks.
constexpr bool is_whole(const vk::MatrixTile& tile, uint32_t subgroup) {
  const uint32_t threads = subgroups_of(tile) * subgroup;
  return tile.rows % tile.subgroup_rows == 0 && tile.columns % tile.subgroup_columns == 0 && tile.rows * 4 % threads == 0 &&
         tile.columns * 2 % threads == 0;
}
static_assert([] {
  for (const auto& [subgroup, large, small] : matrix_tiles)
    if (!is_whole(large, subgroup) || !is_whole(small, subgroup)) return false;
  return true;
}());

}  // namespace loupe::ops
