#include "weights/gguf_names.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace loupe {
namespace {

struct Rule {
  std::string_view gguf;
  std::string_view canonical;
};

constexpr Rule whole_names[] = {
    {"token_embd.weight", "text.embed_tokens.weight"},
    {"output_norm.weight", "text.norm.weight"},
    {"output.weight", "text.lm_head.weight"},
    {"rope_freqs.weight", rope_factors_name},
    {"mm.0.weight", "projector.weight"},
    {"mm.0.bias", "projector.bias"},
    {"v.class_embd", "vision.class_embedding"},
    {"v.patch_embd.weight", "vision.patch_embedding.weight"},
    {"v.position_embd.gate", position_factor_name},
    {"v.position_embd.weight", "vision.gated_positional_embedding.embedding"},
    {"v.tile_position_embd.gate", "vision.gated_positional_embedding.gate"},
    {"v.tile_position_embd.weight", "vision.gated_positional_embedding.tile_embedding.weight"},
    {"v.pre_tile_position_embd.gate", "vision.pre_tile_positional_embedding.gate"},
    {"v.pre_tile_position_embd.weight", "vision.pre_tile_positional_embedding.embedding.weight"},
    {"v.post_tile_position_embd.gate", "vision.post_tile_positional_embedding.gate"},
    {"v.post_tile_position_embd.weight", "vision.post_tile_positional_embedding.embedding.weight"},
    {"v.pre_ln.weight", "vision.layernorm_pre.weight"},
    {"v.pre_ln.bias", "vision.layernorm_pre.bias"},
    {"v.post_ln.weight", "vision.layernorm_post.weight"},
    {"v.post_ln.bias", "vision.layernorm_post.bias"},
};

// What follows the layer's number. The unified spelling of a vision tensor comes before the legacy one.
constexpr Rule text_parts[] = {
    {"attn_norm.weight", "input_layernorm.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"cross_attn_q_proj.weight", "cross_attn.q_proj.weight"},
    {"cross_attn_k_proj.weight", "cross_attn.k_proj.weight"},
    {"cross_attn_v_proj.weight", "cross_attn.v_proj.weight"},
    {"cross_attn_o_proj.weight", "cross_attn.o_proj.weight"},
    {"cross_attn_q_norm.weight", "cross_attn.q_norm.weight"},
    {"cross_attn_k_norm.weight", "cross_attn.k_norm.weight"},
    {"cross_attn_attn_gate", "cross_attn_attn_gate"},
    {"cross_attn_mlp_gate", "cross_attn_mlp_gate"},
};

constexpr Rule vision_parts[] = {
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_norm.bias", "input_layernorm.bias"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_norm.bias", "post_attention_layernorm.bias"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"ffn_up.weight", "mlp.fc1.weight"},
    {"ffn_up.bias", "mlp.fc1.bias"},
    {"ffn_down.weight", "mlp.fc2.weight"},
    {"ffn_down.bias", "mlp.fc2.bias"},
    {"attn_gate", "gate_attn"},
    {"ffn_gate", "gate_ffn"},
    {"ln1.weight", "input_layernorm.weight"},
    {"ln1.bias", "input_layernorm.bias"},
    {"ln2.weight", "post_attention_layernorm.weight"},
    {"ln2.bias", "post_attention_layernorm.bias"},
    {"attn_out.weight", "self_attn.o_proj.weight"},
};

/// A stack of layers: what comes before the number, and how what comes after is spelt.
struct Stack {
  Rule prefix;
  std::span<const Rule> parts;
};

constexpr Stack stacks[] = {
    {{"blk.", "text.layers."}, text_parts},
    {{"v.blk.", "vision.transformer.layers."}, vision_parts},
    {{"v.global.blk.", "vision.global_transformer.layers."}, vision_parts},
};

std::optional<std::string_view> translate(std::span<const Rule> rules, std::string_view name, std::string_view Rule::* from,
                                          std::string_view Rule::* to) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.*from == name; });
  return found == rules.end() ? std::nullopt : std::optional((*found).*to);
}

std::optional<std::string> translate(std::string_view name, std::string_view Rule::* from, std::string_view Rule::* to) {
  if (const auto whole = translate(whole_names, name, from, to)) return std::string(*whole);
  for (const Stack& stack : stacks) {
    if (!name.starts_with(stack.prefix.*from)) continue;
    const std::string_view rest = name.substr((stack.prefix.*from).size());
    const std::size_t dot = rest.find('.');
    const std::string_view number = rest.substr(0, dot);
    // One spelling a number: "07" would be a second name of layer 7.
    const bool is_number = !number.empty() && number.size() <= 4 && number.find_first_not_of("0123456789") == std::string_view::npos &&
                           (number == "0" || number[0] != '0');
    if (dot == std::string_view::npos || !is_number) continue;
    if (const auto part = translate(stack.parts, rest.substr(dot + 1), from, to))
      return std::string(stack.prefix.*to).append(number).append(".").append(*part);
  }
  return std::nullopt;
}

/// Legacy files call the first matrix of the vision tower ffn_down and the second ffn_up.
void exchange_by_shape(TensorView& tensor, const GgufGeometry& geometry) {
  const std::size_t fc = tensor.name.find(".mlp.fc");
  if (fc == std::string::npos || !tensor.name.starts_with("vision.") || tensor.shape.empty()) return;
  char& number = tensor.name[fc + 7];
  if (geometry.vision_hidden == geometry.vision_inner)
    number = (number == '1') == geometry.legacy_vision ? '2' : '1';
  else if (tensor.shape[0] == geometry.vision_inner)
    number = '1';
  else if (tensor.shape[0] == geometry.vision_hidden)
    number = '2';
}

}  // namespace

bool name_gguf_tensor(TensorView& tensor, const GgufGeometry& geometry) {
  const std::optional<std::string> canonical = translate(tensor.stored_name, &Rule::gguf, &Rule::canonical);
  if (!canonical) return false;
  tensor.name = *canonical;
  exchange_by_shape(tensor, geometry);
  const std::string_view name = tensor.name;
  const bool is_vision = name.starts_with("vision.");
  // The vision tower's pairs, where there are any, change nothing: no rotation or norm stands between them and the dot product.
  if (!is_vision && (name.ends_with(".q_proj.weight") || name.ends_with(".k_proj.weight"))) tensor.paired_head = geometry.text_head;
  tensor.tanh_applied = is_vision && (name.ends_with(".gate") || name.ends_with("gate_attn") || name.ends_with("gate_ffn"));
  return true;
}

std::optional<std::string> gguf_name(std::string_view canonical) { return translate(canonical, &Rule::canonical, &Rule::gguf); }

}  // namespace loupe
