#pragma once
// The weights of a model under one spelling, whatever files hold them.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/gguf.h"
#include "weights/mapped_file.h"
#include "weights/safetensors.h"
#include "weights/tensor_view.h"

namespace loupe {

/// File names in a folder, sorted. @throws Error file_missing.
std::vector<std::string> names_in(const std::filesystem::path& directory);

/// The weights of a model folder, one file or many, under canonical names (tensor_names.h).
class Checkpoint {
 public:
  /// Opens `model.safetensors`, or the files that `model.safetensors.index.json` lists, or what folder.h finds.
  /// @throws Error file_missing: no weights, or a shard is absent (named, with its number of
  ///         tensors); checkpoint_tensor: a shard lacks a tensor that the index puts there;
  ///         and as weight_files, parse_safetensors, parse_shard_index.
  static Checkpoint open(const std::filesystem::path& directory);

  /// Opens GGUF files: one with everything, a text file and its projector in any order, or all parts of a split one.
  /// @throws Error as MappedFile and parse_gguf; checkpoint_unsupported: a dialect or an architecture that we do not
  ///         run, by its name; checkpoint_tensor: an unknown tensor; checkpoint_header: files that do not belong together;
  ///         file_missing: a part of a split file is absent (named); file_truncated: a piece of a cut file.
  static Checkpoint open_gguf(std::span<const std::filesystem::path> files);

  /// A single-file checkpoint in memory that the caller keeps alive, of either format.
  static Checkpoint from_bytes(std::span<const std::byte> file, std::string name);

  /// Null when there is none of that name.
  const TensorView* find(std::string_view name) const;
  /// @throws Error checkpoint_tensor, naming it in both spellings.
  const TensorView& at(std::string_view name) const;
  /// Sorted by canonical name.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  /// Canonical, sorted.
  std::vector<std::string> names() const;
  /// Paths of the weight files, in the order of TensorView::file.
  const std::vector<std::string>& file_names() const { return file_names_; }
  /// Bytes of all of them.
  std::uint64_t file_bytes() const;
  /// Bytes of all tensors.
  std::uint64_t total_bytes() const;
  /// The folder or file, for messages.
  const std::string& source() const { return source_; }
  /// What GGUF files say besides their tensors, the text file first; null for safetensors.
  const GgufMetadata* metadata() const { return metadata_ ? &*metadata_ : nullptr; }
  /// The file that holds a tensor, for messages.
  const std::string& file_of(const TensorView& tensor) const { return file_names_[tensor.file]; }

  /// The tensor, or the part of one whose `bytes` are narrowed, has been read: its pages may leave this process.
  void release(const TensorView& tensor) const;

 private:
  Checkpoint() = default;
  /// All tensors of these files of a folder.
  void take_files(const std::filesystem::path& directory, const std::vector<std::string>& names);
  /// Of each file the tensors that the index puts there.
  void take_indexed(const std::filesystem::path& directory, const ShardIndex& index, const std::string& index_path);
  /// Joins the files' contents under canonical names.
  void take_gguf(std::vector<GgufContents> files);
  /// Canonical names for published ones, then sort_and_refuse_twins.
  void finish();
  /// Sorts by canonical name. @throws Error checkpoint_header when two tensors have the same.
  void sort_and_refuse_twins();

  std::string source_;
  std::vector<std::string> file_names_;
  std::vector<MappedFile> files_;  // empty for from_bytes
  std::vector<TensorView> tensors_;
  std::optional<GgufMetadata> metadata_;
};

}  // namespace loupe
