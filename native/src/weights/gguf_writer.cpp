#include "weights/gguf_writer.h"

#include <bit>

namespace loupe {
namespace {

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

void put_text(std::string& out, std::string_view text) {
  put(out, text.size(), 8);
  out += text;
}

}  // namespace

void GgufWriter::begin_entry(std::string_view key, GgufType type) {
  put_text(entries_, key);
  put(entries_, static_cast<std::uint32_t>(type), 4);
  ++entry_count_;
}

void GgufWriter::text(std::string_view key, std::string_view value) {
  begin_entry(key, GgufType::text);
  put_text(entries_, value);
}

void GgufWriter::u32(std::string_view key, std::uint32_t value) {
  begin_entry(key, GgufType::u32);
  put(entries_, value, 4);
}

void GgufWriter::u64(std::string_view key, std::uint64_t value) {
  begin_entry(key, GgufType::u64);
  put(entries_, value, 8);
}

void GgufWriter::f32(std::string_view key, float value) {
  begin_entry(key, GgufType::f32);
  put(entries_, std::bit_cast<std::uint32_t>(value), 4);
}

void GgufWriter::boolean(std::string_view key, bool value) {
  begin_entry(key, GgufType::boolean);
  put(entries_, value, 1);
}

void GgufWriter::texts(std::string_view key, std::span<const std::string> values) {
  begin_entry(key, GgufType::list);
  put(entries_, static_cast<std::uint32_t>(GgufType::text), 4);
  put(entries_, values.size(), 8);
  for (const std::string& value : values) put_text(entries_, value);
}

void GgufWriter::integers(std::string_view key, std::span<const std::int32_t> values) {
  begin_entry(key, GgufType::list);
  put(entries_, static_cast<std::uint32_t>(GgufType::i32), 4);
  put(entries_, values.size(), 8);
  for (const std::int32_t value : values) put(entries_, static_cast<std::uint32_t>(value), 4);
}

void GgufWriter::floats(std::string_view key, std::span<const float> values) {
  begin_entry(key, GgufType::list);
  put(entries_, static_cast<std::uint32_t>(GgufType::f32), 4);
  put(entries_, values.size(), 8);
  for (const float value : values) put(entries_, std::bit_cast<std::uint32_t>(value), 4);
}

void GgufWriter::tensor(std::string_view name, std::span<const std::int64_t> shape, DType dtype) {
  put_text(tensors_, name);
  put(tensors_, shape.size(), 4);
  std::uint64_t elements = 1;
  for (std::size_t i = shape.size(); i > 0; --i) {
    put(tensors_, static_cast<std::uint64_t>(shape[i - 1]), 8);
    elements *= static_cast<std::uint64_t>(shape[i - 1]);
  }
  put(tensors_, gguf_type_number(dtype), 4);
  put(tensors_, data_bytes_, 8);
  offsets_.push_back(data_bytes_);
  data_bytes_ += padded(stored_bytes(dtype, elements));
}

std::string GgufWriter::header() const {
  std::string out = "GGUF";
  put(out, 3, 4);
  put(out, offsets_.size(), 8);
  put(out, entry_count_, 8);
  out += entries_;
  out += tensors_;
  out.resize(padded(out.size()), '\0');
  return out;
}

}  // namespace loupe
