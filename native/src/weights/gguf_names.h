#pragma once
// GGUF's tensors under the canonical names of tensor_names.h, with what differs from published checkpoints noted.
//
// GGUF                                     canonical
// token_embd, output_norm, output          text.embed_tokens, text.norm, text.lm_head
// blk.N.attn_{q,k,v,output}                text.layers.N.self_attn.{q,k,v,o}_proj             q, k: rows in pairs
// blk.N.cross_attn_{q,k,v,o}_proj          text.layers.N.cross_attn.{q,k,v,o}_proj            q, k: rows in pairs
// v.blk.N, v.global.blk.N                  vision.transformer.layers.N, vision.global_transformer.layers.N
//   .attn_norm | .ln1, .ffn_norm | .ln2      input_layernorm, post_attention_layernorm        unified | legacy
//   .ffn_up, .ffn_down                       mlp.fc1, mlp.fc2; exchanged in legacy files, so decided by shape
//   .attn_gate, .ffn_gate                    gate_attn, gate_ffn                              hold tanh(gate)
// v.position_embd.gate                     vision.gated_positional_embedding.position_factor  holds 1 - tanh(gate)
// v.tile_position_embd.gate                vision.gated_positional_embedding.gate             holds tanh(gate)
// mm.0                                     projector
//
// Sources: Ollama v0.7.1 convert/convert_mllama.go and convert_llama.go, v0.6.8 llama/mllama.cpp;
// fixtures/reference/make_gguf.py says which of them shows what.

#include <optional>
#include <string>
#include <string_view>

#include "weights/tensor_view.h"

namespace loupe {

/// Divisors of the base frequencies of rotation; not a weight of any layer.
constexpr const char* rope_factors_name = "text.rope_factors";
/// What the position embedding is multiplied with, where a file holds that number itself.
constexpr const char* position_factor_name = "vision.gated_positional_embedding.position_factor";

/// What names alone do not say.
struct GgufGeometry {
  std::int64_t text_head = 0;      ///< width of a text attention head
  std::int64_t vision_hidden = 0;  ///< 0 without a vision tower
  std::int64_t vision_inner = 0;
  bool legacy_vision = false;  ///< decides the order of the MLP's matrices where both widths are equal
};

/// Sets `name`, `paired_head` and `tanh_applied` from `stored_name` and the shape. False for a name outside the table.
bool name_gguf_tensor(TensorView& tensor, const GgufGeometry& geometry);

/// The unified layout's spelling of a canonical name; empty when it has none.
std::optional<std::string> gguf_name(std::string_view canonical);

}  // namespace loupe
