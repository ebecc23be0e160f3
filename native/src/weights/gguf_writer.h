#pragma once
// The header of a GGUF file (gguf.h): entries, then tensors end to end in the order given.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/dtype.h"
#include "weights/gguf.h"

namespace loupe {

class GgufWriter {
 public:
  void text(std::string_view key, std::string_view value);
  void u32(std::string_view key, std::uint32_t value);
  void u64(std::string_view key, std::uint64_t value);
  void f32(std::string_view key, float value);
  void boolean(std::string_view key, bool value);
  void texts(std::string_view key, std::span<const std::string> values);
  void integers(std::string_view key, std::span<const std::int32_t> values);
  void floats(std::string_view key, std::span<const float> values);
  /// `shape` outermost first.
  void tensor(std::string_view name, std::span<const std::int64_t> shape, DType dtype);

  /// Magic to padding: the data follow directly.
  std::string header() const;
  /// Bytes of a tensor's data and the zeros after it.
  static std::uint64_t padded(std::uint64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }
  /// Where tensor `index` begins behind the header.
  std::uint64_t offset(std::size_t index) const { return offsets_.at(index); }
  std::uint64_t data_bytes() const { return data_bytes_; }

  static constexpr std::uint64_t alignment = 32;

 private:
  void begin_entry(std::string_view key, GgufType type);

  std::string entries_, tensors_;
  std::uint64_t entry_count_ = 0, data_bytes_ = 0;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace loupe
