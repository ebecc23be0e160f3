#pragma once
// From mapped checkpoint files to device memory, in pieces: no tensor is ever held whole by the host.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/row_layout.h"
#include "weights/checkpoint.h"

namespace loupe {

/// A small float32 parameter on the device: a norm's weight, a bias.
struct Vector {
  vk::Buffer buffer;
  Tensor tensor;  ///< [1, n] or [rows, cols]
};

/// What a checkpoint takes on the device, to within its padding.
uint64_t bytes_on_device(const Checkpoint& checkpoint);

class Uploader {
 public:
  /// `cancel` and `progress` (bytes copied so far) may be null.
  Uploader(vk::Device& device, vk::Memory& memory, const Checkpoint& checkpoint, const std::atomic<bool>* cancel, std::function<void(uint64_t)> progress);
  ~Uploader();

  /// Tensor `name` viewed as [rows, cols] with rows = its first dimension.
  Matrix matrix(const std::string& name);
  /// The rows of several tensors of equal width under one another (q, k, v).
  Matrix stacked(const std::vector<std::string>& names);
  /// Row 2i from `even`, row 2i + 1 from `odd` (gate and up, for the SiLU epilogue).
  Matrix interleaved(const std::string& even, const std::string& odd);
  /// Tables of whole embeddings that one kernel reads together: plain, and of one type.
  std::vector<Matrix> tables(const std::vector<std::string>& names);
  /// float32, times `scale`.
  Vector vector(const std::string& name, float scale = 1);
  /// tanh of a gate, read on the host.
  float gate(const std::string& name) const;
  /// One number, read on the host; empty when the checkpoint has no such tensor.
  std::optional<float> scalar(const std::string& name) const;

  /// Waits until everything is on the device.
  void finish();
  uint64_t device_bytes() const { return device_bytes_; }

 private:
  struct Slot;
  /// Calls `body`. When it throws, waits for both slots first: the buffers that now go may be targets of copies.
  template <class Body>
  auto settled(Body&& body) const;
  /// Writes one row as it lies on the device.
  using WriteRow = std::function<void(uint32_t row, std::span<std::byte> out)>;
  /// Appends `count` rows of `dtype` to `matrix`, whose width is known.
  void append(Matrix& matrix, DType dtype, uint32_t count, const WriteRow& write);
  /// Rows of a tensor, in their published order, as device rows of `dtype`.
  WriteRow rows_of(const TensorView& tensor, DType dtype) const;
  /// Copies `count` rows of `row_bytes` to `target`.
  void copy(const vk::Slice& target, uint64_t row_bytes, uint32_t count, const WriteRow& write);

  vk::Memory& memory_;
  const Checkpoint& checkpoint_;
  std::function<void(uint64_t)> progress_;
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t next_slot_ = 0;
  uint64_t copied_ = 0, device_bytes_ = 0;
};

}  // namespace loupe
