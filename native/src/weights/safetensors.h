#pragma once
// Reading safetensors files: 8 bytes header length (little endian), a JSON header
// { name: { dtype, shape, data_offsets: [begin, end) } }, then the tensors' bytes.
//
// Every byte of a header is doubted: these files come from the internet.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/dtype.h"
#include "weights/mapped_file.h"

namespace loupe {

/// A tensor inside a mapped file. Valid as long as the object that gave it.
struct TensorView {
  std::string name;                  ///< canonical in a Checkpoint, as stored in a SafetensorsFile
  std::string stored_name;           ///< as in the file
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;   ///< outermost dimension first; empty = scalar
  std::span<const std::byte> bytes;  ///< row by row, little endian, at any alignment: copy, do not cast
  std::size_t file = 0;              ///< index of the file within its checkpoint

  std::int64_t elements() const;
};

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
  std::map<std::string, std::string> file_of_tensor;          ///< stored name -> plain file name
  std::map<std::string, std::vector<std::string>> tensors_of; ///< plain file name -> stored names
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

/// The weights of a model folder, one file or many, under canonical names (tensor_names.h).
class Checkpoint {
 public:
  /// Opens `model.safetensors`, or the files that `model.safetensors.index.json` lists.
  /// @throws Error file_missing: no weights, or a shard is absent (named, with its number of
  ///         tensors); checkpoint_tensor: a shard lacks a tensor that the index puts there;
  ///         and as parse_safetensors, parse_shard_index.
  static Checkpoint open(const std::filesystem::path& directory);

  /// A single-file checkpoint in memory that the caller keeps alive.
  static Checkpoint from_bytes(std::span<const std::byte> file, std::string name);

  /// Null when there is none of that name.
  const TensorView* find(std::string_view name) const;
  /// @throws Error checkpoint_tensor, naming it in both spellings.
  const TensorView& at(std::string_view name) const;
  /// Sorted by canonical name.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  /// Canonical, sorted.
  std::vector<std::string> names() const;
  /// Bytes of all tensors.
  std::uint64_t total_bytes() const;
  /// The folder or file, for messages.
  const std::string& source() const { return source_; }
  /// The file that holds a tensor, for messages.
  const std::string& file_of(const TensorView& tensor) const { return file_names_[tensor.file]; }

  /// The tensor has been copied to where it is needed: its pages may leave this process.
  void release(const TensorView& tensor) const;

 private:
  Checkpoint() = default;
  /// Sorts by canonical name. @throws Error checkpoint_header when two stored names mean the same.
  void finish();

  std::string source_;
  std::vector<std::string> file_names_;
  std::vector<MappedFile> files_;  // empty for from_bytes
  std::vector<TensorView> tensors_;
};

}  // namespace loupe
