#include "model/model.h"

#include <utility>

#include "base/error.h"
#include "weights/gguf_names.h"

namespace loupe {
namespace {

VisionLayer load_vision_layer(Uploader& up, const std::string& prefix, bool gated) {
  VisionLayer layer;
  layer.input_norm_weight = up.vector(prefix + "input_layernorm.weight");
  layer.input_norm_bias = up.vector(prefix + "input_layernorm.bias");
  layer.qkv = up.stacked({prefix + "self_attn.q_proj.weight", prefix + "self_attn.k_proj.weight", prefix + "self_attn.v_proj.weight"});
  layer.output = up.matrix(prefix + "self_attn.o_proj.weight");
  layer.post_norm_weight = up.vector(prefix + "post_attention_layernorm.weight");
  layer.post_norm_bias = up.vector(prefix + "post_attention_layernorm.bias");
  layer.fc1 = up.matrix(prefix + "mlp.fc1.weight");
  layer.fc1_bias = up.vector(prefix + "mlp.fc1.bias");
  layer.fc2 = up.matrix(prefix + "mlp.fc2.weight");
  layer.fc2_bias = up.vector(prefix + "mlp.fc2.bias");
  if (gated) {
    layer.attention_gate = up.gate(prefix + "gate_attn");
    layer.mlp_gate = up.gate(prefix + "gate_ffn");
  }
  return layer;
}

VisionWeights load_vision(Uploader& up, const VisionConfig& config) {
  VisionWeights weights;
  weights.patch_embedding = up.matrix("vision.patch_embedding.weight");
  weights.class_embedding = up.vector("vision.class_embedding");
  weights.position_gate = up.gate("vision.gated_positional_embedding.gate");
  weights.position_embedding = up.vector("vision.gated_positional_embedding.embedding", up.scalar(position_factor_name).value_or(1 - weights.position_gate));
  std::vector<Matrix> tables = up.tables({"vision.gated_positional_embedding.tile_embedding.weight", "vision.pre_tile_positional_embedding.embedding.weight"});
  weights.tile_position_embedding = std::move(tables[0]);
  weights.pre_tile_embedding = std::move(tables[1]);
  weights.pre_tile_gate = up.gate("vision.pre_tile_positional_embedding.gate");
  weights.post_tile_embedding = std::move(up.tables({"vision.post_tile_positional_embedding.embedding.weight"})[0]);
  weights.post_tile_gate = up.gate("vision.post_tile_positional_embedding.gate");
  weights.pre_norm_weight = up.vector("vision.layernorm_pre.weight");
  weights.pre_norm_bias = up.vector("vision.layernorm_pre.bias");
  weights.post_norm_weight = up.vector("vision.layernorm_post.weight");
  weights.post_norm_bias = up.vector("vision.layernorm_post.bias");
  for (int i = 0; i < config.num_hidden_layers; ++i) weights.local_layers.push_back(load_vision_layer(up, "vision.transformer.layers." + std::to_string(i) + ".", false));
  for (int i = 0; i < config.num_global_layers; ++i)
    weights.global_layers.push_back(load_vision_layer(up, "vision.global_transformer.layers." + std::to_string(i) + ".", true));
  weights.projector = up.matrix("projector.weight");
  weights.projector_bias = up.vector("projector.bias");
  return weights;
}

TextMlp load_mlp(Uploader& up, const std::string& prefix) {
  return {up.vector(prefix + "post_attention_layernorm.weight"), up.interleaved(prefix + "mlp.gate_proj.weight", prefix + "mlp.up_proj.weight"),
          up.matrix(prefix + "mlp.down_proj.weight")};
}

SelfAttentionLayer load_self_attention(Uploader& up, const std::string& prefix) {
  const std::string attention = prefix + "self_attn.";
  return {up.vector(prefix + "input_layernorm.weight"), up.stacked({attention + "q_proj.weight", attention + "k_proj.weight", attention + "v_proj.weight"}),
          up.matrix(attention + "o_proj.weight"), load_mlp(up, prefix)};
}

CrossAttentionLayer load_cross_attention(Uploader& up, const std::string& prefix) {
  const std::string attention = prefix + "cross_attn.";
  CrossAttentionLayer layer;
  layer.norm = up.vector(prefix + "input_layernorm.weight");
  layer.query = up.matrix(attention + "q_proj.weight");
  layer.key = up.matrix(attention + "k_proj.weight");
  layer.value = up.matrix(attention + "v_proj.weight");
  layer.query_norm = up.vector(attention + "q_norm.weight");
  layer.key_norm = up.vector(attention + "k_norm.weight");
  layer.output = up.matrix(attention + "o_proj.weight");
  layer.attention_gate = up.gate(prefix + "cross_attn_attn_gate");
  layer.mlp_gate = up.gate(prefix + "cross_attn_mlp_gate");
  layer.mlp = load_mlp(up, prefix);
  return layer;
}

TextWeights load_text(Uploader& up, const TextConfig& config) {
  TextWeights weights;
  weights.embedding = up.matrix("text.embed_tokens.weight");
  for (int i = 0; i < config.num_layers; ++i) {
    const std::string prefix = "text.layers." + std::to_string(i) + ".";
    if (config.is_cross_attention_layer(i)) weights.layers.emplace_back(load_cross_attention(up, prefix));
    else weights.layers.emplace_back(load_self_attention(up, prefix));
  }
  weights.norm = up.vector("text.norm.weight");
  if (!config.tie_word_embeddings) weights.lm_head = up.matrix("text.lm_head.weight");
  return weights;
}

}  // namespace

ops::HeadShape Model::text_heads() const {
  return {static_cast<uint32_t>(config.text.num_heads), static_cast<uint32_t>(config.text.num_kv_heads), static_cast<uint32_t>(config.text.head_dim)};
}

ops::HeadShape Model::vision_heads() const {
  const uint32_t heads = static_cast<uint32_t>(config.vision->attention_heads);
  return {heads, heads, static_cast<uint32_t>(config.vision->head_dim())};
}

Checkpoint open_checkpoint(const ModelSource& source) {
  if (!source.gguf.empty()) return Checkpoint::open_gguf(source.gguf);
  return Checkpoint::open(source.directory);
}

Model load_model(const ModelSource& source, vk::Device& device, vk::Memory& memory, const std::atomic<bool>* cancel,
                 const std::function<void(uint64_t, uint64_t)>& progress) {
  Model model;
  // A folder's config.json is read first: without it nothing can be said about its weights.
  if (source.gguf.empty()) model.config = load_model_config(source.directory);
  const Checkpoint checkpoint = open_checkpoint(source);
  if (checkpoint.metadata()) model.config = gguf_model_config(checkpoint);
  check_tensors(model.config, checkpoint);
  const uint64_t total = bytes_on_device(checkpoint);
  if (total > memory.budget_bytes())
    throw Error(ErrorCode::device_out_of_memory,
                "The weights have " + std::to_string(total >> 20) + " MiB; " + device.info().name + " has room for " + std::to_string(memory.budget_bytes() >> 20) + " MiB.",
                "Choose a smaller model, or a device with more memory.");
  Uploader up(device, memory, checkpoint, cancel, [&](uint64_t done) {
    if (progress) progress(std::min(done, total), total);
  });
  if (model.config.vision) model.vision = load_vision(up, *model.config.vision);
  model.text = load_text(up, model.config.text);
  up.finish();
  model.device_bytes = up.device_bytes();
  if (progress) progress(total, total);
  return model;
}

}  // namespace loupe
