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
    {8, {64, 64, 16, 16, 0}, {32, 64, 16, 8, 0}},
};

/// Large tiles that a device with subgroups of 32 may be faster with; no card has told them apart (docs/decisions/0055-tiles-and-a-gpu.md).
/// A tile of 64 x 64 a subgroup reads shared memory a third less often for each product of fragments.
constexpr vk::MatrixTile other_large_tiles[] = {{128, 128, 64, 32, 2}, {128, 128, 64, 64, 2}, {128, 256, 64, 64}};

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
  for (const vk::MatrixTile& tile : other_large_tiles)
    if (!is_whole(tile, 32)) return false;
  return true;
}());

/// Bytes of shared memory that the steps take, in rows of 80. The sums at the end take 32 KiB at most, which every device has.
constexpr uint32_t shared_bytes_of(const vk::MatrixTile& tile) { return 80 * (tile.rows + tile.columns) * (tile.ahead == 2 ? 2 : 1); }

}  // namespace loupe::ops
