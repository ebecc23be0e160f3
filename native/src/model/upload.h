#pragma once
// From mapped checkpoint files to device memory, in pieces: no tensor is ever held whole by the host.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "weights/safetensors.h"

namespace loupe {

/// A small float32 parameter on the device: a norm's weight, a bias.
struct Vector {
  vk::Buffer buffer;
  Tensor tensor;  ///< [1, n] or [rows, cols]
};

class Uploader {
 public:
  /// `cancel` and `progress` (bytes copied so far) may be null.
  Uploader(vk::Device& device, vk::Memory& memory, const Checkpoint& checkpoint, const std::atomic<bool>* cancel, std::function<void(uint64_t)> progress);
  ~Uploader();

  /// Tensor `name` viewed as [rows, cols] with rows = its first dimension.
  Matrix matrix(const std::string& name);
  /// The rows of several tensors of equal width and type under one another (q, k, v).
  Matrix stacked(const std::vector<std::string>& names);
  /// Row 2i from `even`, row 2i + 1 from `odd` (gate and up, for the SiLU epilogue).
  Matrix interleaved(const std::string& even, const std::string& odd);
  /// float32, times `scale`.
  Vector vector(const std::string& name, float scale = 1);
  /// One number, read on the host.
  float scalar(const std::string& name) const;

  /// Waits until everything is on the device.
  void finish();
  uint64_t device_bytes() const { return device_bytes_; }

 private:
  struct Slot;
  /// Calls `body`. When it throws, waits for both slots first: the buffers that now go may be targets of copies.
  template <class Body>
  auto settled(Body&& body) const;
  Matrix stack(const std::vector<std::string>& names);
  Matrix interleave(const std::string& even, const std::string& odd);
  /// `source(row)` is where that row's elements begin.
  Matrix rows(uint32_t count, uint32_t cols, DType dtype, const std::function<const std::byte*(uint32_t)>& source);
  /// Copies `rows` rows of `row_bytes`, zero-filled to `padded_bytes` each, to `target`.
  void copy(const vk::Slice& target, uint64_t row_bytes, uint64_t padded_bytes, uint32_t count, const std::function<const std::byte*(uint32_t)>& source);

  vk::Memory& memory_;
  const Checkpoint& checkpoint_;
  std::function<void(uint64_t)> progress_;
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t next_slot_ = 0;
  uint64_t copied_ = 0, device_bytes_ = 0;
};

}  // namespace loupe
