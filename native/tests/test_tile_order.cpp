// The order of tiles of a matrix product, from the text of the shaders.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

namespace loupe::test {
namespace {

namespace shader {

using uint = std::uint32_t;
using std::min;
struct uvec2 {
  uint x, y;
  uvec2(uint x, uint y) : x(x), y(y) {}
};
#include "../../shaders/common/tile_order.glsl"

}  // namespace shader

TEST(TileOrder, CoversEveryTileOnce) {
  for (uint32_t rows : {1u, 2u, 7u, 8u, 9u, 16u, 101u})
    for (uint32_t columns : {1u, 2u, 60u, 97u}) {
      std::set<std::pair<uint32_t, uint32_t>> seen;
      for (uint32_t number = 0; number < rows * columns; ++number) {
        const shader::uvec2 tile = shader::tile_of(number, rows, columns);
        EXPECT_LT(tile.x, rows) << number;
        EXPECT_LT(tile.y, columns) << number;
        seen.emplace(tile.x, tile.y);
      }
      EXPECT_EQ(seen.size(), rows * columns) << rows << " x " << columns;
    }
}

/// How often memory is asked for a column of weight tiles that no workgroup has read a moment ago: `together` at a time run.
uint32_t columns_read(uint32_t rows, uint32_t columns, uint32_t together) {
  uint32_t read = 0;
  std::set<uint32_t> now;
  for (uint32_t number = 0; number < rows * columns; ++number) {
    if (number % together == 0) now.clear();
    read += now.insert(shader::tile_of(number, rows, columns).y).second;
  }
  return read;
}

// A chunk of a prompt, 512 rows, before the down projection (4,096 columns) and on devices that run as many workgroups.
TEST(TileOrder, AChunkReadsEveryWeightOnce) {
  for (uint32_t together : {8u, 64u, 256u}) EXPECT_EQ(columns_read(8, 64, together), 64u) << together << " workgroups at a time";
}

// 6,144 rows, nearly those of the vision encoder: once for eight rows of tiles, not for each.
TEST(TileOrder, ManyRowsReadThemOnceForEightRowsOfTiles) { EXPECT_EQ(columns_read(96, 80, 8), 12u * 80); }

}  // namespace
}  // namespace loupe::test
