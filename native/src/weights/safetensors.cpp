#include "weights/safetensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "weights/describe.h"
#include "weights/strict_json.h"
#include "weights/tensor_names.h"

namespace loupe {
namespace {

using nlohmann::json;

constexpr std::uint64_t prefix_bytes = 8;
constexpr std::uint64_t max_header_bytes = 100'000'000;  // the format's own limit
constexpr std::size_t max_rank = 8;

constexpr const char* download_again = "The file is damaged; download it again.";
constexpr const char* download_incomplete = "The download is incomplete; resume it or download the file again.";

std::string count_of(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// Messages about one tensor begin alike.
struct Place {
  const std::string& file;
  const std::string& tensor;

  [[noreturn]] void fail(ErrorCode code, const std::string& words, const char* next_step = download_again) const {
    throw Error(code, file + ": tensor " + in_quotes(tensor) + " " + words, next_step);
  }
};

std::optional<std::uint64_t> checked_product(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

std::uint64_t read_u64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < prefix_bytes; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

DType parse_dtype(const json& entry, const Place& place) {
  const auto found = entry.find("dtype");
  if (found == entry.end() || !found->is_string()) place.fail(ErrorCode::checkpoint_header, "has no dtype.");
  const std::string& name = found->get_ref<const std::string&>();
  const std::optional<DType> dtype = dtype_from_name(name);
  if (!dtype) {
    place.fail(ErrorCode::checkpoint_dtype, "has the unknown type " + in_quotes(name) + ".",
               "Use a checkpoint with BF16, F16 or F32 weights.");
  }
  return *dtype;
}

std::vector<std::int64_t> parse_shape(const json& entry, const Place& place) {
  const auto found = entry.find("shape");
  if (found == entry.end() || !found->is_array()) place.fail(ErrorCode::checkpoint_header, "has no shape.");
  if (found->size() > max_rank) {
    place.fail(ErrorCode::checkpoint_header, "has " + std::to_string(found->size()) + " dimensions; at most " +
                                                 std::to_string(max_rank) + " are plausible.");
  }
  std::vector<std::int64_t> shape;
  for (const json& dimension : *found) {
    if (!dimension.is_number_unsigned() ||
        dimension.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      place.fail(ErrorCode::checkpoint_header, "has a shape that is no list of natural numbers.");
    }
    shape.push_back(dimension.get<std::int64_t>());
  }
  return shape;
}

/// Bytes of a dense tensor; elements below one byte are packed.
std::uint64_t dense_bytes(DType dtype, std::span<const std::int64_t> shape, const Place& place) {
  std::optional<std::uint64_t> bits = static_cast<std::uint64_t>(bits_per_element(dtype));
  for (const std::int64_t dimension : shape) {
    if (bits) bits = checked_product(*bits, static_cast<std::uint64_t>(dimension));
  }
  if (!bits) place.fail(ErrorCode::checkpoint_header, "has the shape " + shape_text(shape) + ", more than fits 64 bits.");
  if (*bits % 8 != 0) place.fail(ErrorCode::checkpoint_header, "does not fill whole bytes.");
  return *bits / 8;
}

struct Range {
  std::uint64_t begin;
  std::uint64_t end;
};

Range parse_offsets(const json& entry, const Place& place) {
  const auto found = entry.find("data_offsets");
  if (found == entry.end() || !found->is_array() || found->size() != 2 || !(*found)[0].is_number_unsigned() ||
      !(*found)[1].is_number_unsigned()) {
    place.fail(ErrorCode::checkpoint_header, "has no data_offsets [begin, end].");
  }
  const Range range{(*found)[0].get<std::uint64_t>(), (*found)[1].get<std::uint64_t>()};
  if (range.begin > range.end) {
    place.fail(ErrorCode::checkpoint_header,
               "begins at " + std::to_string(range.begin) + ", after its end at " + std::to_string(range.end) + ".");
  }
  return range;
}

TensorView parse_tensor(const std::string& file, const std::string& name, const json& entry, std::span<const std::byte> data) {
  const Place place{file, name};
  if (!entry.is_object()) place.fail(ErrorCode::checkpoint_header, "is described by no JSON object.");
  TensorView tensor;
  tensor.name = name;
  tensor.stored_name = name;
  tensor.dtype = parse_dtype(entry, place);
  tensor.shape = parse_shape(entry, place);
  const Range range = parse_offsets(entry, place);
  const std::uint64_t expected = dense_bytes(tensor.dtype, tensor.shape, place);
  if (range.end - range.begin != expected) {
    place.fail(ErrorCode::checkpoint_header, "takes " + std::to_string(range.end - range.begin) + " bytes; " +
                                                 std::string(to_string(tensor.dtype)) + " " + shape_text(tensor.shape) +
                                                 " needs " + std::to_string(expected) + ".");
  }
  if (range.end > data.size()) {
    place.fail(ErrorCode::file_truncated,
               "ends at byte " + std::to_string(range.end) + " of the data; the file holds " + std::to_string(data.size()) + ".",
               download_incomplete);
  }
  tensor.bytes = data.subspan(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(expected));
  return tensor;
}

std::map<std::string, std::string> parse_metadata(const std::string& file, const json& entry) {
  const auto malformed = [&] { return Error(ErrorCode::checkpoint_header, file + ": __metadata__ must map text to text.", download_again); };
  if (!entry.is_object()) throw malformed();
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) throw malformed();
    metadata.emplace(key, value.get_ref<const std::string&>());
  }
  return metadata;
}

void refuse_overlaps(const std::string& file, const std::vector<TensorView>& by_offset) {
  const TensorView* previous = nullptr;
  for (const TensorView& tensor : by_offset) {
    if (tensor.bytes.empty()) continue;
    if (previous != nullptr && tensor.bytes.data() < previous->bytes.data() + previous->bytes.size()) {
      throw Error(ErrorCode::checkpoint_header,
                  file + ": tensors " + in_quotes(previous->name) + " and " + in_quotes(tensor.name) + " overlap.", download_again);
    }
    previous = &tensor;
  }
}

/// The length of the JSON header, at most what the file holds.
std::size_t header_length(std::span<const std::byte> file, const std::string& name) {
  if (as_text(file).starts_with("version https://git-lfs")) {
    throw Error(ErrorCode::checkpoint_header, name + " is a Git LFS pointer, not the weights themselves.",
                "Run `git lfs pull` in the model folder.");
  }
  if (file.size() < prefix_bytes) {
    throw Error(ErrorCode::file_truncated,
                name + " has " + count_of(file.size(), "byte") + "; a safetensors file begins with 8 that give its header's length.",
                download_incomplete);
  }
  const std::uint64_t length = read_u64(file);
  if (length > max_header_bytes) {
    throw Error(ErrorCode::checkpoint_header,
                name + " announces a header of " + std::to_string(length) + " bytes; at most " + std::to_string(max_header_bytes) +
                    " are allowed. It is probably no safetensors file.",
                download_again);
  }
  if (length > file.size() - prefix_bytes) {
    throw Error(ErrorCode::file_truncated,
                name + " announces a header of " + std::to_string(length) + " bytes, but only " +
                    std::to_string(file.size() - prefix_bytes) + " follow.",
                download_incomplete);
  }
  return static_cast<std::size_t>(length);
}

/// A shard must lie beside its index: no separators, no drive letters, no hidden trickery.
bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20;
  });
}

bool is_present(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::filesystem::path utf8_path(const std::string& name) {
  return std::filesystem::path(std::u8string(name.begin(), name.end()));
}

const TensorView* find_by_name(const std::vector<TensorView>& sorted, std::string_view name) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), name,
                                      [](const TensorView& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return found != sorted.end() && found->name == name ? &*found : nullptr;
}

void sort_by_name(std::vector<TensorView>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
}

void refuse_missing_shards(const std::filesystem::path& directory, const ShardIndex& index) {
  std::vector<std::string> missing;
  for (const auto& [file, tensors] : index.tensors_of) {
    if (!is_present(directory / utf8_path(file))) missing.push_back(file);
  }
  if (missing.empty()) return;
  const std::string& first = missing.front();
  std::string words = path_text(directory) + ": the shard " + in_quotes(first) + " is missing; it holds " +
                      std::to_string(index.tensors_of.at(first).size()) + " of " +
                      count_of(index.file_of_tensor.size(), "tensor") + ".";
  if (missing.size() > 1) {
    words += " " + std::to_string(missing.size()) + " of " + count_of(index.tensors_of.size(), "shard") + " are missing.";
  }
  throw Error(ErrorCode::file_missing, words, "Download the missing files into the same folder.");
}

}  // namespace

std::int64_t TensorView::elements() const {
  // Cannot overflow: the byte size was computed with checks.
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension == 0) return 0;
  }
  for (const std::int64_t dimension : shape) count *= dimension;
  return count;
}

SafetensorsContents parse_safetensors(std::span<const std::byte> file, std::string_view file_name) {
  const std::string name(file_name);
  const std::size_t length = header_length(file, name);
  const json header = parse_json_object(as_text(file.subspan(prefix_bytes, length)), name + " (header)",
                                        ErrorCode::checkpoint_header, {.max_bytes = max_header_bytes, .max_depth = 4});
  const std::span<const std::byte> data = file.subspan(prefix_bytes + length);

  SafetensorsContents contents;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      contents.metadata = parse_metadata(name, entry);
    } else {
      contents.tensors.push_back(parse_tensor(name, key, entry, data));
    }
  }
  std::stable_sort(contents.tensors.begin(), contents.tensors.end(),
                   [](const TensorView& a, const TensorView& b) { return a.bytes.data() < b.bytes.data(); });
  refuse_overlaps(name, contents.tensors);
  return contents;
}

ShardIndex parse_shard_index(std::string_view text, std::string_view file_name) {
  const std::string name(file_name);
  const auto fail = [&](const std::string& words) {
    return Error(ErrorCode::checkpoint_header, name + ": " + words, "Download the index again from the model's publisher.");
  };
  const json root = parse_json_object(text, name, ErrorCode::checkpoint_header, {.max_bytes = max_header_bytes});
  const auto map = root.find("weight_map");
  if (map == root.end() || !map->is_object()) throw fail("weight_map is missing or no object.");
  if (map->empty()) throw fail("weight_map lists no tensor.");

  ShardIndex index;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) throw fail("weight_map gives no file name for " + in_quotes(tensor) + ".");
    const std::string& shard = file.get_ref<const std::string&>();
    if (!is_plain_file_name(shard)) {
      throw fail("weight_map puts " + in_quotes(tensor) + " into " + in_quotes(shard) + ", which is no plain file name within the model folder.");
    }
    index.file_of_tensor.emplace(tensor, shard);
    index.tensors_of[shard].push_back(tensor);
  }
  return index;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  SafetensorsContents contents = parse_safetensors(file_.bytes(), file_.path());
  tensors_ = std::move(contents.tensors);
  metadata_ = std::move(contents.metadata);
  sort_by_name(tensors_);
}

const TensorView* SafetensorsFile::find(std::string_view name) const { return find_by_name(tensors_, name); }

const TensorView& SafetensorsFile::at(std::string_view name) const {
  if (const TensorView* tensor = find(name)) return *tensor;
  throw Error(ErrorCode::checkpoint_tensor, file_.path() + " holds no tensor " + in_quotes(name) + ".");
}

Checkpoint Checkpoint::open(const std::filesystem::path& directory) {
  const std::filesystem::path single = directory / "model.safetensors";
  const std::filesystem::path index_path = directory / "model.safetensors.index.json";

  Checkpoint checkpoint;
  checkpoint.source_ = path_text(directory);

  // As other tools do, a single file wins over an index left beside it.
  if (is_present(single) || !is_present(index_path)) {
    if (!is_present(single)) {
      throw Error(ErrorCode::file_missing,
                  checkpoint.source_ + " holds neither model.safetensors nor model.safetensors.index.json.",
                  "Choose the folder that holds config.json and the *.safetensors files, or finish the download.");
    }
    const MappedFile& file = checkpoint.files_.emplace_back(single);
    checkpoint.file_names_.push_back(file.path());
    checkpoint.tensors_ = parse_safetensors(file.bytes(), file.path()).tensors;
    checkpoint.finish();
    return checkpoint;
  }

  const MappedFile index_file(index_path);
  const ShardIndex index = parse_shard_index(as_text(index_file.bytes()), index_file.path());
  refuse_missing_shards(directory, index);
  for (const auto& [shard, listed] : index.tensors_of) {
    const std::size_t number = checkpoint.files_.size();
    const MappedFile& file = checkpoint.files_.emplace_back(directory / utf8_path(shard));
    checkpoint.file_names_.push_back(file.path());

    std::vector<TensorView> held = parse_safetensors(file.bytes(), file.path()).tensors;
    sort_by_name(held);
    for (const std::string& name : listed) {
      const TensorView* tensor = find_by_name(held, name);
      if (tensor == nullptr) {
        throw Error(ErrorCode::checkpoint_tensor,
                    file.path() + " does not hold the tensor " + in_quotes(name) + " that " + index_file.path() + " puts there.",
                    "The shard and the index belong to different downloads; download both again.");
      }
      checkpoint.tensors_.push_back(*tensor);
      checkpoint.tensors_.back().file = number;
    }
  }
  checkpoint.finish();
  return checkpoint;
}

Checkpoint Checkpoint::from_bytes(std::span<const std::byte> file, std::string name) {
  Checkpoint checkpoint;
  checkpoint.tensors_ = parse_safetensors(file, name).tensors;
  checkpoint.file_names_.push_back(name);
  checkpoint.source_ = std::move(name);
  checkpoint.finish();
  return checkpoint;
}

void Checkpoint::finish() {
  for (TensorView& tensor : tensors_) tensor.name = canonical_name(tensor.stored_name);
  sort_by_name(tensors_);
  const auto same = std::adjacent_find(tensors_.begin(), tensors_.end(),
                                       [](const TensorView& a, const TensorView& b) { return a.name == b.name; });
  if (same != tensors_.end()) {
    throw Error(ErrorCode::checkpoint_header,
                source_ + ": " + in_quotes(same->stored_name) + " and " + in_quotes(std::next(same)->stored_name) + " are two spellings of one tensor.",
                download_again);
  }
}

const TensorView* Checkpoint::find(std::string_view name) const { return find_by_name(tensors_, name); }

const TensorView& Checkpoint::at(std::string_view name) const {
  if (const TensorView* tensor = find(name)) return *tensor;
  throw Error(ErrorCode::checkpoint_tensor,
              source_ + " holds no tensor " + in_quotes(name) + " (published as " + in_quotes(published_name(name, false)) + ").",
              "The checkpoint is incomplete or of another kind; download it again.");
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const TensorView& tensor : tensors_) names.push_back(tensor.name);
  return names;
}

std::uint64_t Checkpoint::total_bytes() const {
  std::uint64_t total = 0;
  for (const TensorView& tensor : tensors_) total += tensor.bytes.size();
  return total;
}

void Checkpoint::release(const TensorView& tensor) const {
  if (files_.empty() || tensor.bytes.empty()) return;
  const MappedFile& file = files_[tensor.file];
  file.advise_done(static_cast<std::size_t>(tensor.bytes.data() - file.bytes().data()), tensor.bytes.size());
}

}  // namespace loupe
