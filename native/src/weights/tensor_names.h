#pragma once
// One spelling for tensor names.
//
// canonical                 published (transformers 4.45)       saved by newer tools            text-only llama
// text.layers.N....         language_model.model.layers.N....   model.language_model.layers.N.  model.layers.N....
// text.embed_tokens.weight  language_model.model.embed_tokens.  model.language_model.embed_to.  model.embed_tokens.weight
// text.norm.weight          language_model.model.norm.weight    model.language_model.norm.wei.  model.norm.weight
// text.lm_head.weight       language_model.lm_head.weight       lm_head.weight                  lm_head.weight
// vision....                vision_model....                    model.vision_model....
// projector.{weight,bias}   multi_modal_projector....           model.multi_modal_projector...
//
// What follows the prefix is the same in all of them. Files that were saved from within a wrapper (data parallel, torch.compile,
// PEFT) put "module.", "_orig_mod." or "base_model.model." before every name, also several of them.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "weights/tensor_view.h"

namespace loupe {

/// Characters of the wrappers' prefix that all names share; 0 where they share none.
std::size_t wrapper_length(std::span<const TensorView> tensors);

/// Names outside the table are returned unchanged.
std::string canonical_name(std::string_view stored);

/// The published spelling of a canonical name; `text_only` chooses the llama column.
std::string published_name(std::string_view canonical, bool text_only);

}  // namespace loupe
