#include "weights/synthetic.h"

#include <algorithm>
#include <cmath>

#include "weights/convert.h"

namespace loupe {
namespace {

constexpr std::uint64_t gamma = 0x9E3779B97F4A7C15;

std::uint64_t fnv1a64(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

std::uint64_t splitmix64_finaliser(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The part before the last dot's part: "norm" of "text.norm.weight".
std::string_view owner_of(std::string_view name) {
  const std::size_t last = name.rfind('.');
  if (last == std::string_view::npos) return {};
  const std::string_view path = name.substr(0, last);
  const std::size_t before = path.rfind('.');
  return before == std::string_view::npos ? path : path.substr(before + 1);
}

struct Distribution {
  float offset;
  float amplitude;
};

Distribution distribution_of(std::string_view name, std::span<const std::int64_t> shape) {
  if (name.ends_with("gate") || name.ends_with("gate_attn") || name.ends_with("gate_ffn")) return {0.5f, 0.25f};
  if (contains(owner_of(name), "norm") && name.ends_with("weight")) return {1.0f, 0.1f};
  if (name.ends_with("bias")) return {0.0f, 0.02f};
  if (name.ends_with("embed_tokens.weight") || name.ends_with("class_embedding")) return {0.0f, 1.0f};
  if (contains(name, "embedding") && !name.ends_with("patch_embedding.weight")) return {0.0f, 0.5f};
  double fan_in = 1;
  for (const std::int64_t dimension : shape.subspan(std::min<std::size_t>(1, shape.size()))) fan_in *= static_cast<double>(dimension);
  return {0.0f, static_cast<float>(std::sqrt(3.0 / fan_in))};
}

}  // namespace

SyntheticTensor::SyntheticTensor(std::string_view published_name, std::vector<std::int64_t> shape, std::uint64_t seed,
                                 std::span<const std::array<int, 2>> aspect_ratios, int max_num_tiles)
    : state_(fnv1a64(published_name) ^ (seed * gamma)), elements_(1) {
  for (const std::int64_t dimension : shape) elements_ *= dimension;
  const Distribution distribution = distribution_of(published_name, shape);
  offset_ = distribution.offset;
  amplitude_ = distribution.amplitude;

  if (published_name.ends_with("tile_positional_embedding.embedding.weight") || published_name.ends_with("tile_embedding.weight")) {
    row_ = shape.at(1);
    used_in_row_.push_back(0);  // id 0: no picture
    for (const auto& [height, width] : aspect_ratios) used_in_row_.push_back(row_ / max_num_tiles * height * width);
  }
}

void SyntheticTensor::fill(std::int64_t first, std::span<std::uint16_t> out) const {
  std::uint64_t state = state_ + static_cast<std::uint64_t>(first) * gamma;
  for (std::uint16_t& element : out) {
    state += gamma;
    const float u = static_cast<float>(splitmix64_finaliser(state) >> 40) * 0x1p-24f;
    // Exact in double, so the cast is the one rounding of a float32 product. Written in float,
    // the compiler could fuse it with the addition on some processors and round once less.
    const float scaled = static_cast<float>(static_cast<double>(amplitude_) * static_cast<double>(2.0f * u - 1.0f));
    element = float_to_bf16(offset_ + scaled);
  }
  if (row_ > 0) clear_unused_tiles(first, out);
}

void SyntheticTensor::clear_unused_tiles(std::int64_t first, std::span<std::uint16_t> out) const {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t position = first + static_cast<std::int64_t>(i);
    const std::int64_t id = position / row_;
    if (position % row_ >= used_in_row_.at(static_cast<std::size_t>(id))) out[i] = 0;
  }
}

}  // namespace loupe
