#pragma once
// What every fuzzer's main does: FUZZER [ITERATIONS = 200000] [SEED = 1] [FIRST = 0].

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "random.h"

namespace loupe::fuzz {

inline std::uint64_t argument(int argc, char** argv, int position, std::uint64_t fallback) {
  return argc > position ? std::strtoull(argv[position], nullptr, 10) : fallback;
}

/// `Fuzzer` is constructed from nothing, throwing where its own seeds are not accepted; `iterate(Random&)` says whether an
/// input was accepted, `refusals()` counts the others by error code. Gives the exit status.
template <typename Fuzzer>
int run(int argc, char** argv) {
  const std::uint64_t iterations = argument(argc, argv, 1, 200'000), seed = argument(argc, argv, 2, 1), first = argument(argc, argv, 3, 0);
  std::uint64_t current = first;
  try {
    Fuzzer fuzzer;
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t accepted = 0;
    for (; current < first + iterations; ++current) {
      Random random(seed * 0x100000001B3 + current * 0xD1342543DE82EF95);
      accepted += fuzzer.iterate(random) ? 1 : 0;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("%llu iterations in %.1f s: %llu accepted", static_cast<unsigned long long>(iterations), seconds,
                static_cast<unsigned long long>(accepted));
    for (const auto& [code, count] : fuzzer.refusals()) std::printf(", %zu %s", count, code.c_str());
    std::printf("\n");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seed %llu, iteration %llu: %s\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(current),
                 error.what());
    return EXIT_FAILURE;
  }
}

}  // namespace loupe::fuzz
