#include "vk/copy_bandwidth.h"

#include <algorithm>
#include <chrono>

#include "vk/command.h"

namespace loupe::vk {
namespace {

constexpr uint64_t most_bytes = 256u << 20, least_bytes = 1u << 20;
/// Long enough that submitting is a hundredth of a round.
constexpr double round_seconds = 0.05;

}  // namespace

double copy_bandwidth(Device& device, Memory& memory) {
  const uint64_t used = memory.use().device_bytes, left = memory.budget_bytes() - std::min(memory.budget_bytes(), used);
  const uint64_t bytes = std::clamp(left / 8, least_bytes, most_bytes);
  const Buffer one = memory.allocate(bytes, Intent::activations), other = memory.allocate(bytes, Intent::activations);
  Recorder recorder(device, Recorder::Mode::immediate);
  const auto seconds_of = [&](int copies) {
    recorder.sync();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < copies; ++i) recorder.copy(i % 2 ? other.slice() : one.slice(), i % 2 ? one.slice() : other.slice());
    recorder.sync();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  recorder.fill(one.slice(), 1);  // memory that was never written may be no memory yet
  recorder.fill(other.slice(), 2);
  const int copies = std::clamp(static_cast<int>(round_seconds / seconds_of(1)), 1, 1000);
  double best = seconds_of(copies);
  for (int round = 1; round < 5; ++round) best = std::min(best, seconds_of(copies));
  return 2.0 * static_cast<double>(bytes) * copies / best;
}

}  // namespace loupe::vk
