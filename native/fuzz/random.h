#pragma once
// What the fuzzers draw from the random numbers that tests use, too.

#include <cstddef>
#include <iterator>

#include "base/random.h"

namespace loupe::fuzz {

class Random : public loupe::Random {
 public:
  using loupe::Random::Random;
  /// 0 .. bound - 1; 0 for a bound of 0.
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>(bits() % bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <typename Container>
  const auto& pick(const Container& from) {
    return from[below(std::size(from))];
  }
};

}  // namespace loupe::fuzz
