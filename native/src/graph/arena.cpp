#include "graph/arena.h"

#include <algorithm>

namespace loupe {
namespace {
constexpr uint64_t chunk_bytes = 8u << 20;
}

vk::Slice Arena::take(uint64_t bytes) {
  bytes = std::max<uint64_t>((bytes + 255) / 256 * 256, 256);
  while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size()) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    chunks_.push_back(memory_.allocate(std::max(bytes, chunk_bytes), vk::Intent::activations));
    used_ = 0;
  }
  const vk::Slice slice = chunks_[chunk_].slice().part(used_, bytes);
  used_ += bytes;
  return slice;
}

void Arena::trim() { chunks_.resize(std::min(chunks_.size(), chunk_ + (used_ > 0 ? 1 : 0))); }

}  // namespace loupe
