#include "vk/copy_bandwidth.h"

#include <algorithm>
#include <chrono>

#include "vk/command.h"

namespace loupe::vk {
namespace {

constexpr uint64_t most_bytes = 256u << 20, least_bytes = 1u << 20;
/// Of a workgroup of copy.comp.
constexpr uint64_t group_bytes = 16384;
/// Long enough that submitting is a hundredth of a round.
constexpr double round_seconds = 0.03;
constexpr int most_copies = 10000, rounds = 4;

}  // namespace

double copy_bandwidth(Device& device, Memory& memory, Pipelines& pipelines) {
  const uint64_t used = memory.use().device_bytes, left = memory.budget_bytes() - std::min(memory.budget_bytes(), used);
  // Whole workgroups, and a binding may be smaller than a buffer.
  const uint64_t bytes = std::clamp(left / 8, least_bytes, most_bytes) / group_bytes * group_bytes;
  const uint64_t part_bytes = std::min(bytes, device.info().max_binding_bytes / group_bytes * group_bytes);
  const Buffer one = memory.allocate(bytes, Intent::activations), other = memory.allocate(bytes, Intent::activations);
  const Pipeline& kernel = pipelines.get("copy", {}, 2, sizeof(uint32_t));
  Recorder recorder(device, Recorder::Mode::immediate);

  const auto by_transfer = [&](const Slice& from, const Slice& to) { recorder.copy(from, to); };
  const auto by_kernel = [&](const Slice& from, const Slice& to) {
    for (uint64_t at = 0; at < bytes; at += part_bytes) {
      const uint64_t count = std::min(part_bytes, bytes - at);
      const uint32_t words = static_cast<uint32_t>(count / 16);
      recorder.dispatch(kernel, {reads(from.part(at, count)), writes(to.part(at, count))}, &words,
                        {static_cast<uint32_t>(count / group_bytes)}, {0, 2.0 * static_cast<double>(count)});
    }
  };
  const auto rate = [&](const auto& copy) {
    const auto seconds_of = [&](int copies) {
      recorder.sync();
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < copies; ++i) copy(i % 2 ? other.slice() : one.slice(), i % 2 ? one.slice() : other.slice());
      recorder.sync();
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    // The first copies also wait for memory to be mapped and for clocks to rise, so a round grows until it is one.
    int copies = 1;
    for (double seconds = seconds_of(copies); seconds < round_seconds && copies < most_copies; seconds = seconds_of(copies))
      copies =
          static_cast<int>(std::clamp(1.2 * copies * round_seconds / seconds, copies + 1.0, std::min(10.0 * copies, 1.0 * most_copies)));
    double best = seconds_of(copies);
    for (int round = 1; round < rounds; ++round) best = std::min(best, seconds_of(copies));
    return 2.0 * static_cast<double>(bytes) * copies / best;
  };
  recorder.fill(one.slice(), 1);  // memory that was never written may be no memory yet
  recorder.fill(other.slice(), 2);
  return std::max(rate(by_transfer), rate(by_kernel));
}

}  // namespace loupe::vk
