#pragma once
// The vision tower: tiles of a picture -> features -> states that the decoder cross-attends to.
// Follows meta-llama/llama-models models/llama3/multimodal/model.py (VisionEncoder).

#include <functional>

#include "model/model.h"

namespace loupe {

/// A picture as `main/image/prepare.ts` makes it.
struct PreparedImage {
  std::string hash;
  std::vector<uint8_t> tiles;  ///< RGB [num_tiles, size, size, 3], padding black
  uint32_t num_tiles = 0;
  uint32_t aspect_ratio_id = 0;
};

class VisionEncoder {
 public:
  /// Records and submits the encoder; afterwards `features` gives the result, until the enclosing
  /// arena scope ends. `pixels` holds the tiles' bytes. `progress(layers done, layers)` may be null.
  VisionEncoder(Graph& g, const Model& model, const vk::Slice& pixels, const PreparedImage& image,
                const std::function<void(uint32_t, uint32_t)>& progress);

  /// Features of one tile, absent tiles included: out [tokens, vision_output_dim].
  void features(Graph& g, uint32_t tile, const Tensor& out) const;

  uint32_t tokens() const { return tokens_; }  ///< of one tile: patches + 1

 private:
  uint32_t tokens_ = 0, padded_ = 0;
  Tensor final_state_;                ///< [max_tiles * padded, H]
  std::vector<Tensor> intermediate_;  ///< inputs of the blocks that config names
};

/// features [tokens, vision_output_dim] -> cross-attention states [tokens, text H].
void project(Graph& g, const Model& model, const Tensor& features, const Tensor& out);

}  // namespace loupe
