#pragma once
// What an op needs to record itself.

#include "graph/arena.h"
#include "graph/tensor.h"
#include "vk/command.h"
#include "vk/pipeline.h"

namespace loupe {

/// How matrix products are computed. Accumulation and everything between products is float32 in both.
enum class Activations {
  f32,  ///< float32 inputs
  f16,  ///< inputs rounded to float16 for the device's cooperative matrices; KV cache in float16
};

struct Graph {
  vk::Device& device;
  vk::Memory& memory;
  vk::Pipelines& pipelines;
  vk::Recorder& recorder;
  Arena& arena;
  Activations activations = Activations::f32;
  /// Words that are zero between dispatches, by which workgroups learn which of them is the last to be done. None where the
  /// device cannot do that (Quirks::last_workgroup); operations then take a dispatch more.
  vk::Slice arrivals{};

  static constexpr uint32_t arrival_words = 1024;
  /// At the beginning of a pass, because one that was broken off may have left them otherwise.
  void clear_arrivals() {
    if (arrivals) recorder.fill(arrivals, 0);
  }

  /// Records one dispatch of `shader`; `push` is any trivially copyable struct.
  template <class Push>
  void run(const std::string& shader, const std::vector<uint32_t>& constants, std::initializer_list<vk::Binding> bindings, const Push& push,
           vk::Groups groups, vk::Cost cost) {
    recorder.dispatch(pipelines.get(shader, constants, static_cast<uint32_t>(bindings.size()), sizeof(Push)), bindings, &push, groups,
                      cost);
  }
};

}  // namespace loupe
