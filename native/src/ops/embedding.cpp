#include "base/error.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void embedding(Graph& g, const Matrix& table, const vk::Slice& tokens, const Tensor& out) {
  struct Push {
    uint32_t first_row, block_rows, stride, cols, offset;
  };
  static_assert(sizeof(Push) == 20);
  for (const Matrix::Block& block : table.blocks)
    g.run(weight_variant("embedding", table.dtype), {}, {vk::reads(block.buffer.slice()), vk::reads(tokens), vk::updates(out.slice)},
          Push{block.first_row, block.rows, table.stride, out.cols, out.offset}, {out.rows}, {0, elements(out) * 8});
}

TableRow table_row(const Matrix& table, uint32_t row) {
  for (const Matrix::Block& block : table.blocks) {
    if (row < block.first_row || row - block.first_row >= block.rows) continue;
    const uint64_t begin = (row - block.first_row) * table.row_bytes(), aligned = begin / 256 * 256;
    const uint32_t element_bytes = static_cast<uint32_t>(bits_per_element(table.dtype) / 8);
    return {block.buffer.slice().part(aligned, begin - aligned + table.row_bytes()), static_cast<uint32_t>(begin - aligned) / element_bytes};
  }
  throw Error(ErrorCode::internal, "A table has no row " + std::to_string(row) + ".");
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats embedding(const Floats& table, uint32_t cols, std::span<const uint32_t> tokens) {
  Floats out;
  for (uint32_t token : tokens) out.insert(out.end(), table.begin() + static_cast<size_t>(token) * cols, table.begin() + static_cast<size_t>(token + 1) * cols);
  return out;
}

}  // namespace loupe::scalar
