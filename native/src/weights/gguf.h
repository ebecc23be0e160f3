#pragma once
// Reading GGUF files (versions 2 and 3, little endian):
//   "GGUF", u32 version, u64 tensors, u64 entries,
//   entries:  text key, u32 type, value
//   tensors:  text name, u32 rank, u64 sizes (innermost first), u32 type, u64 offset of the data
//   padding to general.alignment, then the data.
// Text is a u64 length and its bytes; a list is a u32 element type, a u64 count and the elements.
//
// No byte is trusted, and nothing is copied but names: values and tensors borrow from the file.
// Source: the specification in ggml's docs/gguf.md.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor_view.h"

namespace loupe {

/// Numbered as in the file.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64 };

/// A metadata value, already checked: reading it cannot leave the file.
struct GgufValue {
  GgufType type = GgufType::u8;
  GgufType element = GgufType::u8;   ///< of a list; a list of lists does not occur
  std::uint64_t count = 1;           ///< elements of a list
  std::span<const std::byte> bytes;  ///< a number's bytes, a text's bytes, a list's elements

  /// Each is empty when the value is of another kind, or an integer that does not fit.
  std::optional<std::string_view> as_text() const;
  std::optional<std::int64_t> as_integer() const;
  std::optional<double> as_number() const;
  std::optional<bool> as_boolean() const;

  /// Calls `use` with each element of a list as a value of its own; with the value itself otherwise.
  void for_each(const std::function<void(const GgufValue&)>& use) const;
};

using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

/// What one file's header says, already checked against the file's size.
struct GgufContents {
  GgufMetadata metadata;
  std::vector<TensorView> tensors;  ///< by offset; shapes outermost first
};

/// Whether these are the first bytes of a GGUF file.
bool is_gguf(std::span<const std::byte> file);

/// @param file the whole file; everything borrows from it.
/// @param file_name for messages.
/// @throws Error file_truncated: something reaches past the end; checkpoint_header: malformed,
///         duplicate names, overlapping or misaligned tensors, a count beyond what is plausible;
///         checkpoint_dtype: a tensor type that this engine does not run, by its name;
///         checkpoint_unsupported: another version, big endian, or several files in one.
GgufContents parse_gguf(std::span<const std::byte> file, std::string_view file_name);

/// GGUF's number of a type that can be a weight. @throws Error internal for another type.
std::uint32_t gguf_type_number(DType dtype);

}  // namespace loupe
