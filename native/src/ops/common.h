#pragma once
// Small things that several ops share.

#include <algorithm>
#include <optional>
#include <string>

#include "graph/graph.h"

namespace loupe::ops {

/// The shader variant for weights of this type, as variants.txt spells it.
std::string weight_variant(const std::string& shader, DType dtype);
/// The shader variant for caches of this type.
inline std::string kv_variant(const std::string& shader, bool half) { return shader + (half ? "_f16" : "_f32"); }

inline double elements(const Tensor& t) { return static_cast<double>(t.rows) * t.cols; }

/// The shape of the device's matrix units that we have shaders for, the best one; none without such units.
std::optional<vk::MatrixShape> matrix_shape(const vk::Device& device);
/// As shaders are named after it: "16x16x16".
std::string to_string(const vk::MatrixShape& shape);

/// Keys and values of qkv [rows, 3 width], as attention_packed takes it, in float16: [rows, width] each.
void kv_halves(Graph& g, const Tensor& qkv, uint32_t width, const vk::Slice& keys, const vk::Slice& values);

/// Threads of a workgroup that reduces one row of `cols`.
inline uint32_t reduction_threads(const Graph& g, uint32_t cols) {
  const uint32_t most = g.device.quirks().reduction_threads;
  return cols <= 256 ? std::min(most, 64u) : most;
}

/// A row of a table whose rows are whole embeddings, as a bindable slice and the first element in it.
struct TableRow {
  vk::Slice slice;
  uint32_t first = 0;
};
TableRow table_row(const Matrix& table, uint32_t row);
/// The type of a table's rows, which is one and plain.
DType table_type(const Matrix& table);

}  // namespace loupe::ops
