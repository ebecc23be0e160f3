// Which tile of a product a workgroup computes. Devices begin workgroups in the order of their numbers, so neighbours run
// at the same time: eight rows of tiles go through the weights together, and memory is asked for each weight once for 512
// rows instead of once for 64. Also read by native/tests/test_tile_order.cpp, as C++.

const uint TILE_ROWS_TOGETHER = 8;

// `number`: of the workgroup, below rows * columns. Returns the row and column of its tile.
uvec2 tile_of(uint number, uint rows, uint columns) {
  const uint first = number / (TILE_ROWS_TOGETHER * columns) * TILE_ROWS_TOGETHER;
  const uint together = min(TILE_ROWS_TOGETHER, rows - first), inside = number - first * columns;
  return uvec2(first + inside % together, inside / together);
}
