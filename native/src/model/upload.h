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

/// What a tensor takes on the device, to within its padding; `partner` is the one that it is interleaved with, null for none.
/// Tables and positions of the picture encoder may take up to four times as much where a file holds them in blocks (megabytes).
uint64_t bytes_on_device(const TensorView& tensor, const TensorView* partner = nullptr);

enum class Place { device, host };

class Uploader {
 public:
  /// `cancel` and `progress` (bytes copied so far) may be null. Weights leave `keep_free` bytes of the device's budget.
  Uploader(vk::Device& device, vk::Memory& memory, const Checkpoint& checkpoint, uint64_t keep_free, const std::atomic<bool>* cancel,
           std::function<void(uint64_t)> progress);
  ~Uploader();

  /// Where the next weights are wanted. What the device has no room for goes to the host's memory, and the other way.
  void place(Place place) { place_ = place; }

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
  uint64_t host_bytes() const { return host_bytes_; }
  /// Whether all lies where it was wanted.
  bool as_placed() const { return as_placed_; }

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
  /// Its pages of the file are not needed any more.
  void release(const TensorView& tensor) const;
  /// Empty where it is not wanted there, or does not fit.
  vk::Buffer allocate_on_device(uint64_t size);
  /// In the host's memory, and where that is full in what was to be kept free.
  vk::Buffer allocate_elsewhere(uint64_t size);
  vk::Buffer counted(vk::Buffer buffer);
  /// Copies `count` rows of `row_bytes` to `target`.
  void copy(const vk::Buffer& target, uint64_t row_bytes, uint32_t count, const WriteRow& write);
  void copy_staged(const vk::Slice& target, uint64_t row_bytes, uint32_t count, const WriteRow& write);

  vk::Memory& memory_;
  const Checkpoint& checkpoint_;
  uint64_t keep_free_;
  const std::atomic<bool>* cancel_;
  std::function<void(uint64_t)> progress_;
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t next_slot_ = 0;
  Place place_ = Place::device;
  bool as_placed_ = true;
  uint64_t copied_ = 0, device_bytes_ = 0, host_bytes_ = 0;
};

}  // namespace loupe
