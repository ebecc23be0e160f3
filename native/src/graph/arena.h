#pragma once
// Activations of one pass: taken in stack order, given back in stack order, kept for the next pass.

#include <vector>

#include "graph/tensor.h"

namespace loupe {

class Arena {
 public:
  explicit Arena(vk::Memory& memory) : memory_(memory) {}

  /// Uninitialised [rows, cols] float32, valid until the enclosing Scope ends.
  Tensor tensor(uint32_t rows, uint32_t cols) { return {take(static_cast<uint64_t>(rows) * cols * 4), rows, cols, 0}; }
  vk::Slice take(uint64_t bytes);
  /// Gives unused memory back to the device.
  void trim();

  /// Everything taken while a Scope lives is free again when it ends. Work recorded meanwhile stays
  /// correct: the recorder orders later writers after earlier readers.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), chunk_(arena.chunk_), used_(arena.used_) {}
    ~Scope() {
      arena_.chunk_ = chunk_;
      arena_.used_ = used_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    size_t chunk_;
    uint64_t used_;
  };

 private:
  vk::Memory& memory_;
  std::vector<vk::Buffer> chunks_;
  size_t chunk_ = 0;
  uint64_t used_ = 0;
};

}  // namespace loupe
