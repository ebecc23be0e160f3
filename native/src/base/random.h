#pragma once
// Numbers for tests, fuzzers and benchmarks: the same on every platform, unlike the distributions of <random>.

#include <cstdint>
#include <vector>

namespace loupe {

/// splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  /// In [0, 1).
  float unit() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(bits() % limit); }
  /// In [-amplitude, amplitude).
  std::vector<float> floats(std::size_t count, float amplitude = 1) {
    std::vector<float> values(count);
    for (float& value : values) value = amplitude * (2 * unit() - 1);
    return values;
  }

 private:
  std::uint64_t state_;
};

}  // namespace loupe
