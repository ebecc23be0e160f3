#pragma once
// What ops work on: float32 activations, weight matrices in their stored type, KV caches.

#include <cstdint>
#include <vector>

#include "vk/memory.h"
#include "weights/dtype.h"

namespace loupe {

/// [rows, cols] float32, contiguous. `offset` counts elements from the (256-byte aligned) slice start,
/// so that a view may begin at any row.
struct Tensor {
  vk::Slice slice;
  uint32_t rows = 0, cols = 0;
  uint32_t offset = 0;

  /// Rows [first, first + count). Needs cols to be a multiple of 4 where the reader loads vec4.
  Tensor view(uint32_t first, uint32_t count) const {
    const uint64_t start = (offset + static_cast<uint64_t>(first) * cols) * 4;
    const uint64_t aligned = start / 256 * 256;
    return {slice.part(aligned, start - aligned + static_cast<uint64_t>(count) * cols * 4), count, cols,
            static_cast<uint32_t>((start - aligned) / 4)};
  }
  /// The same elements under another shape.
  Tensor reshape(uint32_t new_rows, uint32_t new_cols) const { return {slice, new_rows, new_cols, offset}; }
};

/// [rows, cols] weights, rows of `stride` elements (cols rounded up to 8, zero-filled) laid out as row_layout.h
/// says, cut into row blocks that each fit one allocation and one binding. Blocks of one tensor start at a multiple
/// of 64 rows; tensors stacked into one matrix may have types of their own.
struct Matrix {
  struct Block {
    vk::Buffer buffer;
    uint32_t first_row = 0, rows = 0;
    DType dtype = DType::f32;
  };
  uint32_t rows = 0, cols = 0, stride = 0;
  std::vector<Block> blocks;
};

/// Keys and values of one layer, [capacity, kv_heads * head_dim] each, float32 or float16.
struct KvCache {
  vk::Buffer keys, values;
  bool half = false;
  uint32_t capacity = 0, width = 0;
};

constexpr uint32_t round_up(uint32_t value, uint32_t multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr uint32_t divide_up(uint32_t value, uint32_t divisor) { return (value + divisor - 1) / divisor; }

}  // namespace loupe
