#pragma once
// Weights that any language can compute: a counter-based hash of name, seed and position.
// They give reference values and benchmarks true shapes without stored checkpoints.
//
//   seed_of_tensor = fnv1a64(published name) xor (seed * gamma mod 2^64)
//   z_i            = output i + 1 of splitmix64(seed_of_tensor)
//   u_i            = (z_i >> 40) * 2^-24
//   value_i        = offset + amplitude * (2 u_i - 1) in float32, then bfloat16 (nearest even)
//
// Offset and amplitude follow from the name. Tile tables are zero for id 0 and for tiles that
// an aspect ratio does not use, as in published checkpoints.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loupe {

/// One synthetic tensor; any part of it can be computed alone.
class SyntheticTensor {
 public:
  /// @param published_name as in published checkpoints: it is part of the seed.
  /// @param aspect_ratios (height, width) in tiles; used by tile tables only, whose shape is
  ///        [aspect_ratios.size() + 1, max_num_tiles * width].
  SyntheticTensor(std::string_view published_name, std::vector<std::int64_t> shape, std::uint64_t seed,
                  std::span<const std::array<int, 2>> aspect_ratios, int max_num_tiles);

  std::int64_t elements() const { return elements_; }

  /// bfloat16 bits of elements first .. first + out.size() - 1 of the flattened tensor.
  void fill(std::int64_t first, std::span<std::uint16_t> out) const;

 private:
  /// Sets table entries of unused tiles to zero within [first, first + out.size()).
  void clear_unused_tiles(std::int64_t first, std::span<std::uint16_t> out) const;

  std::uint64_t state_;
  float offset_;
  float amplitude_;
  std::int64_t elements_;
  std::int64_t row_ = 0;                   // elements of one tile-table row; 0 = not a tile table
  std::vector<std::int64_t> used_in_row_;  // leading elements of each row that are not zero
};

}  // namespace loupe
