#pragma once
// Reading safetensors files: 8 bytes header length (little endian), a JSON header
// { name: { dtype, shape, data_offsets: [begin, end) } }, then the tensors' bytes.
//
// Every byte of a header is doubted: these files come from the internet.

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/mapped_file.h"
#include "weights/tensor_view.h"

namespace loupe {

/// What one file's header says, already checked against the file's size.
struct SafetensorsContents {
  std::vector<TensorView> tensors;  ///< by offset
  std::map<std::string, std::string> metadata;
};

/// @param file the whole file; the views borrow from it.
/// @param file_name for messages.
/// @throws Error file_truncated: the header or a tensor reaches past the end;
///         checkpoint_header: malformed JSON, duplicate names, overlapping tensors, or a size
///         that contradicts dtype and shape; checkpoint_dtype: an unknown type.
SafetensorsContents parse_safetensors(std::span<const std::byte> file, std::string_view file_name);

/// `model.safetensors.index.json`: which file holds which tensor.
struct ShardIndex {
  std::map<std::string, std::string> file_of_tensor;           ///< stored name -> path below the folder
  std::map<std::string, std::vector<std::string>> tensors_of;  ///< path below the folder -> stored names
};

/// @throws Error checkpoint_header: malformed, or a file name that could leave the folder.
ShardIndex parse_shard_index(std::string_view json, std::string_view file_name);

/// One file under its stored names: reference values, tools, tests.
class SafetensorsFile {
 public:
  /// @throws Error as MappedFile and parse_safetensors.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::vector<TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Null when there is none of that name.
  const TensorView* find(std::string_view name) const;
  /// @throws Error checkpoint_tensor when there is none of that name.
  const TensorView& at(std::string_view name) const;

 private:
  MappedFile file_;
  std::vector<TensorView> tensors_;  // by name
  std::map<std::string, std::string> metadata_;
};

}  // namespace loupe
