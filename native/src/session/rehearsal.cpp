#include "session/rehearsal.h"

#include "base/error.h"
#include "model/text_decoder.h"
#include "model/vision_encoder.h"
#include "session/kv_cache.h"
#include "session/speculation.h"
#include "session/working_sizes.h"

namespace loupe {
namespace {

/// Rows of prompts: as many as a chunk has, and few, which take smaller tiles.
constexpr uint32_t prompts[] = {prefill_rows, 24};

/// As most people draw: what Llama's own settings ask for, and the likeliest token.
constexpr ops::Sampling ways_to_draw[] = {{0.6f, 0, 0.9f, 0, 1}, {0, 0, 1, 0, 1}};

CrossKv encode(Graph& g, const Model& model, vk::Memory& memory) {
  const VisionConfig& config = *model.config.vision;
  const uint32_t tokens = static_cast<uint32_t>(config.tokens_per_tile());
  CrossKv kv;
  kv.length = tokens;
  for (size_t i = 0; i < model.config.text.cross_attention_layers.size(); ++i)
    kv.layers.push_back(make_kv_cache(memory, model.text_heads().kv_width(), g.activations == Activations::f16, tokens));
  const vk::Buffer pixels =
      memory.allocate(3ull * static_cast<uint64_t>(config.image_size) * static_cast<uint64_t>(config.image_size), vk::Intent::upload);
  Arena::Scope scope(g.arena);
  const VisionEncoder encoder(g, model, pixels.slice(), {.hash = {}, .tiles = {}, .num_tiles = 1, .aspect_ratio_id = 1}, {});
  const Tensor features = g.arena.tensor(tokens, static_cast<uint32_t>(config.vision_output_dim));
  const Tensor states = g.arena.tensor(tokens, static_cast<uint32_t>(model.config.text.hidden_size));
  encoder.features(g, 0, features);
  project(g, model, features, states);
  write_cross_kv(g, model, states, 0, kv);
  return kv;
}

}  // namespace

void rehearse(const ModelFiles& files, vk::Device& device, vk::Pipelines& pipelines, Activations activations,
              const std::atomic<bool>& stop) {
  vk::Memory memory = vk::Memory::imaginary(device);
  const Model model = load_model(files, device, memory, {}, &stop, {});
  const bool half = activations == Activations::f16;
  Arena arena(memory);
  vk::Recorder recorder(device, vk::Recorder::Mode::rehearsal);
  recorder.set_cancel(&stop);
  const vk::Buffer arrivals = memory.allocate(Graph::arrival_words * 4, vk::Intent::activations);
  Graph g{device, memory, pipelines, recorder, arena, activations, device.quirks().last_workgroup ? arrivals.slice() : vk::Slice{}};
  const uint32_t context = usable_context(model.config, memory, half, 0);
  SelfKv self(model, memory, half, context);
  const uint32_t most = std::min(prefill_rows, context);
  self.grow(most, 0, recorder);
  const uint32_t vocabulary = model.text.output().rows;
  // Words that a session has buffers for, large enough for any of them.
  const vk::Buffer words = memory.allocate(1 << 20, vk::Intent::activations);

  const auto read = [&](uint32_t rows, const CrossKv* image) {
    Arena::Scope scope(arena);
    decode(g, model, {words.slice(), {words.slice(), 0}, {words.slice(), 0, 0}, rows, most, &self.layers(), image});
  };
  const auto draw = [&](uint32_t rows) {
    Arena::Scope scope(arena);
    const Tensor hidden = arena.tensor(rows, static_cast<uint32_t>(model.config.text.hidden_size)), logits = arena.tensor(rows, vocabulary);
    output_logits(g, model, hidden, logits);
    for (const ops::Sampling& way : ways_to_draw)
      ops::sample(g, logits.view(0, 1), ops::plan_of(way, vocabulary), words.slice(), words.slice().part(0, 4),
                  rows == 1 ? ops::Handover{words.slice().part(256, 4), words.slice().part(512, 4)} : ops::Handover{});
  };
  // In the order in which an answer needs them.
  CrossKv seen;
  if (model.vision) seen = encode(g, model, memory);
  for (const bool sees : {true, false}) {
    if (sees && !model.vision) continue;
    const CrossKv* image = sees ? &seen : nullptr;
    for (const uint32_t rows : prompts) read(std::min(rows, most), image);
    for (const uint32_t rows : {1u, checked_rows}) {
      read(rows, image);
      draw(rows);
    }
  }
}

Rehearsal::Rehearsal(std::shared_ptr<const ModelFiles> files, vk::Device& device, vk::Pipelines& pipelines, Activations activations)
    : thread_([this, files = std::move(files), &device, &pipelines, activations] {
        try {
          rehearse(*files, device, pipelines, activations, stop_);
          pipelines.save();
        } catch (const std::exception&) {
          // Cancelled; or the same happens, with a person to tell it to, where the pipeline is needed.
        }
      }) {}

Rehearsal::~Rehearsal() {
  stop_ = true;
  thread_.join();
}

}  // namespace loupe
