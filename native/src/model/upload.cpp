#include "model/upload.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "weights/convert.h"

namespace loupe {
namespace {

/// Two of these: the host fills one while the device drains the other.
constexpr uint64_t staging_bytes = 32u << 20;
constexpr uint32_t block_row_multiple = 64;

}  // namespace

struct Uploader::Slot {
  vk::Buffer staging;
  vk::Recorder recorder;
  uint64_t used = 0;
  Slot(vk::Device& device, vk::Memory& memory) : staging(memory.allocate(staging_bytes, vk::Intent::upload)), recorder(device, vk::Recorder::Mode::immediate) {}
};

Uploader::Uploader(vk::Device& device, vk::Memory& memory, const Checkpoint& checkpoint, const std::atomic<bool>* cancel, std::function<void(uint64_t)> progress)
    : memory_(memory), checkpoint_(checkpoint), progress_(std::move(progress)) {
  for (int i = 0; i < 2; ++i) {
    slots_.push_back(std::make_unique<Slot>(device, memory));
    slots_.back()->recorder.set_cancel(cancel);
  }
}

Uploader::~Uploader() = default;

template <class Body>
auto Uploader::settled(Body&& body) const {
  try {
    return body();
  } catch (...) {
    for (auto& slot : slots_) slot->recorder.abandon();
    throw;
  }
}

void Uploader::copy(const vk::Slice& target, uint64_t row_bytes, uint64_t padded_bytes, uint32_t count, const std::function<const std::byte*(uint32_t)>& source) {
  // A row may be larger than the staging buffer (a table of tile embeddings), so pieces may begin inside one.
  uint64_t written = 0;
  const uint64_t total = padded_bytes * count;
  while (written < total) {
    Slot& slot = *slots_[next_slot_];
    if (slot.used == slot.staging.size()) {
      slot.recorder.flush();
      next_slot_ = (next_slot_ + 1) % slots_.size();
      slots_[next_slot_]->recorder.sync();
      slots_[next_slot_]->used = 0;
      continue;
    }
    const uint64_t piece = std::min(total - written, slot.staging.size() - slot.used);
    std::byte* to = slot.staging.mapped() + slot.used;
    for (uint64_t done = 0; done < piece;) {
      const uint64_t at = written + done, row = at / padded_bytes, in_row = at % padded_bytes;
      const uint64_t run = std::min(padded_bytes - in_row, piece - done);
      const uint64_t real = in_row < row_bytes ? std::min(run, row_bytes - in_row) : 0;
      std::memcpy(to + done, source(static_cast<uint32_t>(row)) + in_row, real);
      std::memset(to + done + real, 0, run - real);
      done += run;
    }
    slot.recorder.copy(slot.staging.slice().part(slot.used, piece), target.part(written, piece));
    slot.used = std::min(slot.staging.size(), (slot.used + piece + 15) / 16 * 16);
    written += piece;
    copied_ += piece;
  }
  if (progress_) progress_(copied_);
}

Matrix Uploader::rows(uint32_t count, uint32_t cols, DType dtype, const std::function<const std::byte*(uint32_t)>& source) {
  Matrix matrix;
  matrix.dtype = dtype;
  matrix.rows = count;
  matrix.cols = cols;
  matrix.stride = round_up(cols, 8);
  const uint64_t element_bytes = static_cast<uint64_t>(bits_per_element(dtype) / 8);
  const uint64_t limit = std::min(memory_.max_allocation(), memory_.max_binding());
  uint64_t block_rows = limit / matrix.row_bytes();
  if (block_rows > block_row_multiple) block_rows = block_rows / block_row_multiple * block_row_multiple;
  if (block_rows == 0)
    throw Error(ErrorCode::device_unsuitable, "One row of a weight has " + std::to_string(matrix.row_bytes()) + " bytes; this device binds at most " + std::to_string(limit) + ".",
                "Use another device.");
  for (uint32_t first = 0; first < count; first += static_cast<uint32_t>(block_rows)) {
    const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>(block_rows, count - first));
    settled([&] {
      matrix.blocks.push_back({memory_.allocate(n * matrix.row_bytes(), vk::Intent::weights), first, n});
      const vk::Buffer& buffer = matrix.blocks.back().buffer;
      device_bytes_ += buffer.size();
      copy(buffer.slice(), cols * element_bytes, matrix.row_bytes(), n, [&](uint32_t row) { return source(first + row); });
    });
  }
  return matrix;
}

Matrix Uploader::stacked(const std::vector<std::string>& names) {
  return settled([&] { return stack(names); });
}

Matrix Uploader::stack(const std::vector<std::string>& names) {
  struct Part {
    const TensorView* tensor;
    uint32_t first, rows;
    uint64_t row_bytes;
  };
  std::vector<Part> parts;
  uint32_t count = 0;
  for (const std::string& name : names) {
    const TensorView& tensor = checkpoint_.at(name);
    const uint32_t n = static_cast<uint32_t>(tensor.shape.at(0));
    parts.push_back({&tensor, count, n, tensor.bytes.size() / n});
    count += n;
    if (tensor.dtype != parts[0].tensor->dtype || parts.back().row_bytes != parts[0].row_bytes)
      throw Error(ErrorCode::checkpoint_dtype, "The tensors " + parts[0].tensor->stored_name + " and " + tensor.stored_name + " have different types.",
                  "Use a checkpoint in one precision, such as the published BF16 one.");
  }
  const DType dtype = parts[0].tensor->dtype;
  Matrix matrix = rows(count, static_cast<uint32_t>(parts[0].row_bytes / (bits_per_element(dtype) / 8)), dtype, [&](uint32_t row) {
    const Part& part = *std::find_if(parts.begin(), parts.end(), [&](const Part& p) { return row - p.first < p.rows; });
    return part.tensor->bytes.data() + (row - part.first) * part.row_bytes;
  });
  for (const Part& part : parts) checkpoint_.release(*part.tensor);
  return matrix;
}

Matrix Uploader::matrix(const std::string& name) { return stacked({name}); }

Matrix Uploader::interleaved(const std::string& even, const std::string& odd) {
  return settled([&] { return interleave(even, odd); });
}

Matrix Uploader::interleave(const std::string& even, const std::string& odd) {
  const TensorView &a = checkpoint_.at(even), &b = checkpoint_.at(odd);
  if (a.dtype != b.dtype)
    throw Error(ErrorCode::checkpoint_dtype, "The tensors " + a.stored_name + " and " + b.stored_name + " have different types.",
                "Use a checkpoint in one precision, such as the published BF16 one.");
  const uint64_t row_bytes = a.bytes.size() / static_cast<uint64_t>(a.shape.at(0));
  Matrix matrix = rows(static_cast<uint32_t>(2 * a.shape.at(0)), static_cast<uint32_t>(a.shape.at(1)), a.dtype,
                       [&](uint32_t row) { return (row % 2 ? b : a).bytes.data() + row / 2 * row_bytes; });
  checkpoint_.release(a);
  checkpoint_.release(b);
  return matrix;
}

Vector Uploader::vector(const std::string& name, float scale) {
  Vector vector;
  settled([&] {
    const TensorView& tensor = checkpoint_.at(name);
    std::vector<float> values = read_floats(tensor);
    for (float& value : values) value *= scale;
    vector.buffer = memory_.allocate(values.size() * 4, vk::Intent::weights);
    device_bytes_ += vector.buffer.size();
    const uint32_t rows = tensor.shape.size() == 2 ? static_cast<uint32_t>(tensor.shape[0]) : 1;
    vector.tensor = {vector.buffer.slice(), rows, static_cast<uint32_t>(values.size()) / rows, 0};
    copy(vector.buffer.slice(), values.size() * 4, values.size() * 4, 1, [&](uint32_t) { return reinterpret_cast<const std::byte*>(values.data()); });
  });
  return vector;
}

float Uploader::scalar(const std::string& name) const {
  return settled([&] { return read_floats(checkpoint_.at(name)).at(0); });
}

void Uploader::finish() {
  for (auto& slot : slots_) slot->recorder.sync();
}

}  // namespace loupe
