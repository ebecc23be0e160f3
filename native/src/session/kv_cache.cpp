#include "session/kv_cache.h"

#include <algorithm>

namespace loupe {
namespace {

constexpr uint32_t first_capacity = 512;

uint32_t element_bytes(bool half) { return half ? 2 : 4; }

}  // namespace

KvCache make_kv_cache(vk::Memory& memory, uint32_t width, bool half, uint32_t capacity) {
  const uint64_t bytes = static_cast<uint64_t>(width) * capacity * element_bytes(half);
  return {memory.allocate(bytes, vk::Intent::activations), memory.allocate(bytes, vk::Intent::activations), half, capacity, width};
}

SelfKv::SelfKv(const Model& model, vk::Memory& memory, bool half, uint32_t limit)
    : memory_(memory), half_(half), width_(model.text_heads().kv_width()), limit_(limit) {
  layers_.resize(static_cast<size_t>(std::count_if(model.text.layers.begin(), model.text.layers.end(),
                                                   [](const auto& layer) { return std::holds_alternative<SelfAttentionLayer>(layer); })));
}

bool SelfKv::grow(uint32_t positions, uint32_t used, vk::Recorder& recorder) {
  if (positions <= capacity_) return false;
  uint32_t capacity = std::max(capacity_, first_capacity);
  while (capacity < positions) capacity *= 2;
  capacity = std::min(capacity, limit_);
  const uint64_t used_bytes = static_cast<uint64_t>(used) * width_ * element_bytes(half_);
  // Layer by layer, so that no more than one is held twice.
  for (KvCache& layer : layers_) {
    if (layer.capacity >= capacity) continue;  // growing failed after this one
    KvCache larger = make_kv_cache(memory_, width_, half_, capacity);
    if (used_bytes) {
      recorder.copy(layer.keys.slice().part(0, used_bytes), larger.keys.slice());
      recorder.copy(layer.values.slice().part(0, used_bytes), larger.values.slice());
      recorder.sync();
    }
    layer = std::move(larger);
  }
  capacity_ = capacity;
  return true;
}

uint64_t SelfKv::bytes() const {
  uint64_t sum = 0;
  for (const KvCache& layer : layers_) sum += layer.keys.size() + layer.values.size();
  return sum;
}

const CrossKv* CrossKvCache::find(const std::string& hash) {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.hash == hash; });
  if (entry == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, entry);
  return &entries_.front().kv;
}

void CrossKvCache::make_room(uint64_t more) {
  while (!entries_.empty() && bytes() + more > budget_bytes_) entries_.pop_back();
}

void CrossKvCache::drop_all_but(const CrossKv* kept) {
  entries_.remove_if([&](const Entry& entry) { return &entry.kv != kept; });
}

const CrossKv& CrossKvCache::insert(const std::string& hash, CrossKv kv) {
  entries_.push_front({hash, std::move(kv)});
  return entries_.front().kv;
}

uint64_t CrossKvCache::bytes() const {
  uint64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.kv.bytes();
  return sum;
}

}  // namespace loupe
