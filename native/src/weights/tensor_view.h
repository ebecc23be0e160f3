#pragma once
// A tensor inside a mapped file, and what the readers of both formats check alike.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/dtype.h"

namespace loupe {

/// Valid as long as the object that gave it.
struct TensorView {
  std::string name;         ///< canonical in a Checkpoint, as stored in a file's contents
  std::string stored_name;  ///< as in the file
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;   ///< outermost dimension first; empty = scalar
  std::span<const std::byte> bytes;  ///< row by row, little endian, at any alignment: copy, do not cast
  std::size_t file = 0;              ///< index of the file within its checkpoint
  /// Head width of a projection whose rows are stored in rotation pairs, as GGUF files have them: row
  /// `s * head / 2 + j` of a head (s = 0, 1) stands at `2j + s`. 0 = rows as published.
  std::int64_t paired_head = 0;
  bool tanh_applied = false;  ///< a gate that holds tanh(gate)

  std::int64_t elements() const;
  /// Where row `row` of the published tensor is stored.
  std::int64_t stored_row(std::int64_t row) const;
};

/// Empty when the product does not fit 64 bits.
std::optional<std::uint64_t> checked_product(std::uint64_t a, std::uint64_t b);

/// Sorts by place in the file. @throws Error checkpoint_header when two tensors share a byte.
void sort_and_refuse_overlaps(const std::string& file, std::vector<TensorView>& tensors);

void sort_by_name(std::vector<TensorView>& tensors);
/// In tensors sorted by name; null when there is none.
const TensorView* find_by_name(const std::vector<TensorView>& sorted, std::string_view name);

}  // namespace loupe
