#pragma once
// What a conversation takes of the device beside the weights: known before they are loaded.

#include "model/config.h"
#include "vk/memory.h"

namespace loupe {

/// Prompt tokens that one pass takes: enough to fill matrix units, small enough for activations of tens of MiB.
constexpr uint32_t prefill_rows = 512;

/// The context that a session gets: `wanted`, or for 0 the checkpoint's, at most 8192. `half`: the caches are float16.
/// Throws context_full for more than the model was trained for, or than one allocation and one binding hold of a layer's keys.
uint32_t usable_context(const ModelConfig& config, const vk::Memory& memory, bool half, uint32_t wanted);

/// In bytes.
struct WorkingSizes {
  uint64_t self_kv_per_token = 0;  ///< keys and values of all self-attention layers, and scratch that grows with them
  uint64_t cross_kv = 0;           ///< of one picture with all its tiles
  uint64_t scratch = 0;            ///< activations, of a picture being encoded or of a prompt being read, and small buffers

  uint64_t total(uint64_t context) const { return self_kv_per_token * context + cross_kv + scratch; }
};

WorkingSizes working_sizes(const ModelConfig& config, bool half);

}  // namespace loupe
