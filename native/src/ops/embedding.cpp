#include <cctype>

#include "base/error.h"
#include "graph/row_layout.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

std::string weight_variant(const std::string& shader, DType dtype) {
  std::string name = shader + "_";
  for (const char c : to_string(dtype)) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

void embedding(Graph& g, const Matrix& table, const vk::Slice& tokens, const Tensor& out) {
  struct Push {
    uint32_t first_row, block_rows, groups, cols, offset;
  };
  static_assert(sizeof(Push) == 20);
  // A token lies in one block, and no other block's dispatch writes its row: the recorder hears of a byte of its own for each
  // block, so that it puts no barrier between them.
  for (const Matrix::Block& block : table.blocks)
    g.run(weight_variant("embedding", block.dtype), {},
          {vk::reads(block.buffer.slice()), vk::reads(tokens), vk::updates(out.slice, {block.first_row, 1, table.rows})},
          Push{block.first_row, block.rows, table.stride / 8, out.cols, out.offset}, {out.rows},
          {0, elements(out) * 8, block.buffer.slice().over_bus ? elements(out) * 4 : 0});
}

DType table_type(const Matrix& table) {
  const DType dtype = table.blocks.at(0).dtype;
  if (!is_plain_weight_type(dtype)) throw Error(ErrorCode::internal, "A table has the block type " + std::string(to_string(dtype)) + ".");
  return dtype;
}

TableRow table_row(const Matrix& table, uint32_t row) {
  const DType dtype = table_type(table);
  const uint64_t row_bytes = device_row_bytes(dtype, table.stride);
  for (const Matrix::Block& block : table.blocks) {
    if (row < block.first_row || row - block.first_row >= block.rows) continue;
    const uint64_t begin = (row - block.first_row) * row_bytes, aligned = begin / 256 * 256;
    return {block.buffer.slice().part(aligned, begin - aligned + row_bytes),
            static_cast<uint32_t>((begin - aligned) / stored_bytes(dtype, 1))};
  }
  throw Error(ErrorCode::internal, "A table has no row " + std::to_string(row) + ".");
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats embedding(const Floats& table, uint32_t cols, std::span<const uint32_t> tokens) {
  Floats out;
  for (uint32_t token : tokens)
    out.insert(out.end(), table.begin() + static_cast<size_t>(token) * cols, table.begin() + static_cast<size_t>(token + 1) * cols);
  return out;
}

}  // namespace loupe::scalar
