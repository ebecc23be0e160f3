#pragma once
// The self KV cache, grown on demand, and the cross KV of recent pictures, found by hash.

#include <list>
#include <string>
#include <vector>

#include "model/text_decoder.h"

namespace loupe {

/// Keys and values of all self-attention layers; every layer has room for `capacity()` positions.
class SelfKv {
 public:
  SelfKv(const Model& model, vk::Memory& memory, bool half, uint32_t limit);

  /// Makes room for `positions` (at most the limit), keeping the first `used`. Returns whether buffers moved.
  bool grow(uint32_t positions, uint32_t used, vk::Recorder& recorder);
  const std::vector<KvCache>& layers() const { return layers_; }
  uint32_t capacity() const { return capacity_; }
  uint64_t bytes() const;

 private:
  vk::Memory& memory_;
  std::vector<KvCache> layers_;
  bool half_;
  uint32_t width_ = 0, limit_ = 0, capacity_ = 0;
};

/// An empty cache of `capacity` rows.
KvCache make_kv_cache(vk::Memory& memory, uint32_t width, bool half, uint32_t capacity);

/// Cross KV by picture, least recently used out.
class CrossKvCache {
 public:
  explicit CrossKvCache(uint64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  /// Null when absent; a hit becomes the most recent.
  const CrossKv* find(const std::string& hash);
  /// Drops old pictures until `bytes` more fit the budget (the newest entry always may).
  void make_room(uint64_t bytes);
  const CrossKv& insert(const std::string& hash, CrossKv kv);
  /// Drops all pictures but `kept`, which may be null.
  void drop_all_but(const CrossKv* kept);
  void clear() { entries_.clear(); }
  uint64_t bytes() const;

 private:
  struct Entry {
    std::string hash;
    CrossKv kv;
  };
  uint64_t budget_bytes_;
  std::list<Entry> entries_;  // most recent first
};

}  // namespace loupe
