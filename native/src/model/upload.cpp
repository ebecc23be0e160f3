#include "model/upload.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/activity.h"
#include "base/error.h"
#include "weights/convert.h"
#include "weights/describe.h"

namespace loupe {
namespace {

/// Two of these: the host fills one while the device drains the other.
constexpr uint64_t staging_bytes = 32u << 20;
/// Weights that are read over the bus are cut smaller: reading one block is one dispatch (11 ms at 3 GB/s), and long
/// prompts take one block at a time through scratch memory.
constexpr uint64_t host_block_bytes = 32u << 20;
constexpr uint32_t block_row_multiple = 64;

uint32_t width_of(const TensorView& tensor) { return static_cast<uint32_t>(tensor.elements() / tensor.shape.at(0)); }

void require_alike(const TensorView& a, const TensorView& b, bool alike) {
  if (alike) return;
  throw Error(ErrorCode::checkpoint_shape,
              "The tensors " + in_quotes(a.stored_name) + " " + shape_text(a.shape) + " and " + in_quotes(b.stored_name) + " " +
                  shape_text(b.shape) + " do not fit one matrix.",
              "The checkpoint is damaged; download it again.");
}

/// The device type of rows from both: their own, or where these differ a plain one that holds either.
DType common_type(const TensorView& a, const TensorView& b) {
  const DType first = device_type(a.dtype), second = device_type(b.dtype);
  if (first == second) return first;
  const auto fits_half = [](DType dtype) { return dtype == DType::f16 || is_block_type(dtype); };
  return fits_half(first) && fits_half(second) ? DType::f16 : DType::f32;
}

}  // namespace

struct Uploader::Slot {
  vk::Buffer staging;
  vk::Recorder recorder;
  uint64_t used = 0;
  Slot(vk::Device& device, vk::Memory& memory)
      : staging(memory.allocate(staging_bytes, vk::Intent::upload)), recorder(device, vk::Recorder::Mode::immediate) {}
};

Uploader::Uploader(vk::Device& device, vk::Memory& memory, const Checkpoint& checkpoint, uint64_t keep_free,
                   const std::atomic<bool>* cancel, std::function<void(uint64_t)> progress)
    : memory_(memory), checkpoint_(checkpoint), keep_free_(keep_free), cancel_(cancel), progress_(std::move(progress)) {
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

vk::Buffer Uploader::counted(vk::Buffer buffer) {
  const bool on_host = buffer.mapped() != nullptr;
  (on_host ? host_bytes_ : device_bytes_) += buffer.size();
  as_placed_ = as_placed_ && on_host == (place_ == Place::host);
  return buffer;
}

vk::Buffer Uploader::allocate_on_device(uint64_t size) {
  if (place_ == Place::host) return {};
  try {
    return counted(memory_.allocate(size, vk::Intent::weights, keep_free_));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::device_out_of_memory) throw;
    return {};
  }
}

vk::Buffer Uploader::allocate_elsewhere(uint64_t size) {
  try {
    return counted(memory_.allocate(size, vk::Intent::host_weights));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::host_out_of_memory) throw;
  }
  return counted(memory_.allocate(size, vk::Intent::weights));
}

void Uploader::copy(const vk::Buffer& target, uint64_t row_bytes, uint32_t count, const WriteRow& write) {
  if (memory_.is_imaginary()) return;
  if (!target.mapped()) return copy_staged(target.slice(), row_bytes, count, write);
  for (uint32_t row = 0; row < count; ++row) {
    if (cancel_ && *cancel_) throw Error(ErrorCode::cancelled, "The request was cancelled.");
    write(row, {target.mapped() + row * row_bytes, row_bytes});
    activity::step();
  }
  copied_ += row_bytes * count;
  if (progress_) progress_(copied_);
}

void Uploader::copy_staged(const vk::Slice& target, uint64_t row_bytes, uint32_t count, const WriteRow& write) {
  // A row may be larger than the staging buffer (a table of tile embeddings); it then goes through memory of its own.
  std::vector<std::byte> large(row_bytes > staging_bytes ? row_bytes : 0);
  uint64_t written = 0;
  const uint64_t total = row_bytes * count;
  while (written < total) {
    Slot& slot = *slots_[next_slot_];
    const uint64_t room = slot.staging.size() - slot.used;
    const uint64_t piece = large.empty() ? std::min(total - written, room / row_bytes * row_bytes) : std::min(total - written, room);
    if (piece == 0) {
      slot.recorder.flush();
      next_slot_ = (next_slot_ + 1) % slots_.size();
      slots_[next_slot_]->recorder.sync();
      slots_[next_slot_]->used = 0;
      continue;
    }
    std::byte* to = slot.staging.mapped() + slot.used;
    for (uint64_t done = 0; done < piece;) {
      const uint64_t row = (written + done) / row_bytes, in_row = (written + done) % row_bytes,
                     run = std::min(row_bytes - in_row, piece - done);
      if (large.empty())
        write(static_cast<uint32_t>(row), {to + done, row_bytes});
      else if (in_row == 0)
        write(static_cast<uint32_t>(row), large);
      if (!large.empty()) std::memcpy(to + done, large.data() + in_row, run);
      done += run;
      activity::step();
    }
    slot.recorder.copy(slot.staging.slice().part(slot.used, piece), target.part(written, piece));
    slot.used = std::min(slot.staging.size(), (slot.used + piece + 15) / 16 * 16);
    written += piece;
    copied_ += piece;
  }
  if (progress_) progress_(copied_);
}

void Uploader::append(Matrix& matrix, DType dtype, uint32_t count, const WriteRow& write) {
  const uint64_t row_bytes = device_row_bytes(dtype, matrix.stride), limit = std::min(memory_.max_allocation(), memory_.max_binding());
  if (limit < row_bytes)
    throw Error(ErrorCode::device_unsuitable,
                "One row of a weight has " + std::to_string(row_bytes) + " bytes; this device binds at most " + std::to_string(limit) + ".",
                "Use another device.");
  const auto rows_within = [&](uint64_t bytes, uint32_t left) {
    uint64_t rows = std::max<uint64_t>(bytes / row_bytes, 1);
    if (rows > block_row_multiple) rows = rows / block_row_multiple * block_row_multiple;
    return static_cast<uint32_t>(std::min<uint64_t>(rows, left));
  };
  for (uint32_t first = 0, n = 0; first < count; first += n) {
    // Waits here, too: the matrix is destroyed before its caller can wait.
    settled([&] {
      n = rows_within(limit, count - first);
      vk::Buffer buffer = allocate_on_device(n * row_bytes);
      if (!buffer) {
        n = rows_within(std::min(limit, host_block_bytes), count - first);
        buffer = allocate_elsewhere(n * row_bytes);
      }
      matrix.blocks.push_back({std::move(buffer), matrix.rows + first, n, dtype});
      copy(matrix.blocks.back().buffer, row_bytes, n, [&](uint32_t row, std::span<std::byte> out) { write(first + row, out); });
    });
  }
  matrix.rows += count;
}

Uploader::WriteRow Uploader::rows_of(const TensorView& tensor, DType dtype) const {
  const uint32_t cols = width_of(tensor);
  const uint64_t row_bytes = stored_bytes(tensor.dtype, cols);
  const auto stored = [&tensor, row_bytes](uint32_t row) {
    return tensor.bytes.subspan(static_cast<uint64_t>(tensor.stored_row(row)) * row_bytes, row_bytes);
  };
  if (dtype == device_type(tensor.dtype))
    return [stored, cols, type = tensor.dtype](uint32_t row, std::span<std::byte> out) { pack_row(type, stored(row), cols, out); };
  return [stored, cols, type = tensor.dtype, dtype](uint32_t row, std::span<std::byte> out) {
    const std::vector<float> values = read_floats({.dtype = type, .shape = {cols}, .bytes = stored(row)});
    std::vector<std::byte> as_stored(stored_bytes(dtype, cols));
    write_floats(values, dtype, as_stored);
    pack_row(dtype, as_stored, cols, out);
  };
}

void Uploader::release(const TensorView& tensor) const {
  // Another upload may be reading it.
  if (!memory_.is_imaginary()) checkpoint_.release(tensor);
}

Matrix Uploader::matrix(const std::string& name) { return stacked({name}); }

Matrix Uploader::stacked(const std::vector<std::string>& names) {
  return settled([&] {
    Matrix matrix;
    matrix.cols = width_of(checkpoint_.at(names.at(0)));
    matrix.stride = round_up(matrix.cols, 8);
    for (size_t begin = 0; begin < names.size();) {
      // Neighbours of one type share blocks: fewer dispatches.
      const DType dtype = device_type(checkpoint_.at(names[begin]).dtype);
      struct Part {
        uint32_t first;
        WriteRow write;
      };
      std::vector<Part> parts;
      uint32_t count = 0;
      size_t end = begin;
      for (; end < names.size() && device_type(checkpoint_.at(names[end]).dtype) == dtype; ++end) {
        const TensorView& tensor = checkpoint_.at(names[end]);
        require_alike(checkpoint_.at(names[0]), tensor, width_of(tensor) == matrix.cols);
        parts.push_back({count, rows_of(tensor, dtype)});
        count += static_cast<uint32_t>(tensor.shape.at(0));
      }
      append(matrix, dtype, count, [&](uint32_t row, std::span<std::byte> out) {
        const Part& part = *std::find_if(parts.rbegin(), parts.rend(), [&](const Part& p) { return p.first <= row; });
        part.write(row - part.first, out);
      });
      begin = end;
    }
    for (const std::string& name : names) release(checkpoint_.at(name));
    return matrix;
  });
}

Matrix Uploader::interleaved(const std::string& even, const std::string& odd) {
  return settled([&] {
    const TensorView &a = checkpoint_.at(even), &b = checkpoint_.at(odd);
    require_alike(a, b, a.shape == b.shape);
    const DType dtype = common_type(a, b);
    const WriteRow rows[] = {rows_of(a, dtype), rows_of(b, dtype)};
    Matrix matrix;
    matrix.cols = width_of(a);
    matrix.stride = round_up(matrix.cols, 8);
    append(matrix, dtype, static_cast<uint32_t>(2 * a.shape.at(0)),
           [&](uint32_t row, std::span<std::byte> out) { rows[row % 2](row / 2, out); });
    release(a);
    release(b);
    return matrix;
  });
}

std::vector<Matrix> Uploader::tables(const std::vector<std::string>& names) {
  return settled([&] {
    const auto plain = [&](const std::string& name) {
      return is_block_type(checkpoint_.at(name).dtype) ? DType::f16 : checkpoint_.at(name).dtype;
    };
    const bool alike = std::all_of(names.begin(), names.end(), [&](const std::string& name) { return plain(name) == plain(names[0]); });
    const DType dtype = alike ? plain(names[0]) : DType::f32;
    std::vector<Matrix> matrices;
    for (const std::string& name : names) {
      const TensorView& tensor = checkpoint_.at(name);
      Matrix& matrix = matrices.emplace_back();
      matrix.cols = width_of(tensor);
      matrix.stride = round_up(matrix.cols, 8);
      append(matrix, dtype, static_cast<uint32_t>(tensor.shape.at(0)), rows_of(tensor, dtype));
      release(tensor);
    }
    return matrices;
  });
}

Vector Uploader::vector(const std::string& name, float scale) {
  Vector vector;
  settled([&] {
    const TensorView& tensor = checkpoint_.at(name);
    std::vector<float> values = read_floats(tensor);
    for (float& value : values) value *= scale;
    vector.buffer = allocate_on_device(values.size() * 4);
    if (!vector.buffer) vector.buffer = allocate_elsewhere(values.size() * 4);
    const uint32_t rows = tensor.shape.size() == 2 ? static_cast<uint32_t>(tensor.shape[0]) : 1;
    vector.tensor = {vector.buffer.slice(), rows, static_cast<uint32_t>(values.size()) / rows, 0};
    copy(vector.buffer, values.size() * 4, 1,
         [&](uint32_t, std::span<std::byte> out) { std::memcpy(out.data(), values.data(), out.size()); });
  });
  return vector;
}

float Uploader::gate(const std::string& name) const {
  return settled([&] {
    const TensorView& tensor = checkpoint_.at(name);
    const float value = read_floats(tensor).at(0);
    return tensor.tanh_applied ? value : std::tanh(value);
  });
}

std::optional<float> Uploader::scalar(const std::string& name) const {
  return settled([&] {
    const TensorView* tensor = checkpoint_.find(name);
    return tensor ? std::optional(read_floats(*tensor).at(0)) : std::nullopt;
  });
}

uint64_t bytes_on_device(const TensorView& tensor, const TensorView* partner) {
  if (tensor.shape.size() < 2 || tensor.shape[0] == 0) return static_cast<uint64_t>(tensor.elements()) * 4;
  const DType dtype = partner ? common_type(tensor, *partner) : device_type(tensor.dtype);
  return static_cast<uint64_t>(tensor.shape[0]) * device_row_bytes(dtype, round_up(width_of(tensor), 8));
}

void Uploader::finish() {
  for (auto& slot : slots_) slot->recorder.sync();
}

}  // namespace loupe
