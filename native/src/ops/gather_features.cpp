#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void gather_features(Graph& g, const Tensor& final_state, const std::vector<Tensor>& intermediate, uint32_t tile, uint32_t padded,
                     uint32_t tokens, const Tensor& out) {
  struct Push {
    uint32_t hidden, width, slot, step, state_offset, offset;
  };
  static_assert(sizeof(Push) == 24);
  const uint32_t hidden = final_state.cols, count = static_cast<uint32_t>(intermediate.size());
  auto place = [&](const Tensor& all, uint32_t slot, uint32_t step) {
    const Tensor state = all.view(tile * padded, tokens);
    // Interleaved columns share cache lines, not elements: the writers need no order among themselves,
    // and `updates` keeps them in it all the same, which costs nothing next to the encoder.
    g.run("gather_features", {}, {vk::reads(state.slice), vk::updates(out.slice)},
          Push{hidden, out.cols, slot, step, state.offset, out.offset}, {divide_up(hidden, 64), tokens}, {0, elements(state) * 8});
  };
  place(final_state, 0, 1);
  for (uint32_t i = 0; i < count; ++i) place(intermediate[i], hidden + i, count);
}

}  // namespace loupe::ops

namespace loupe::scalar {

Floats gather_features(const Floats& final_state, const std::vector<Floats>& intermediate, uint32_t hidden, uint32_t tile, uint32_t padded,
                       uint32_t tokens) {
  const size_t count = intermediate.size(), width = hidden * (1 + count);
  Floats out(tokens * width);
  for (uint32_t token = 0; token < tokens; ++token)
    for (uint32_t d = 0; d < hidden; ++d) {
      const size_t from = (static_cast<size_t>(tile) * padded + token) * hidden + d;
      out[token * width + d] = final_state[from];
      for (size_t i = 0; i < count; ++i) out[token * width + hidden + d * count + i] = intermediate[i][from];
    }
  return out;
}

}  // namespace loupe::scalar
