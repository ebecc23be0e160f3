#include "weights/safetensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "weights/describe.h"
#include "weights/strict_json.h"

namespace loupe {
namespace {

using nlohmann::json;

constexpr std::uint64_t prefix_bytes = 8;
constexpr std::uint64_t max_header_bytes = 100'000'000;  // the format's own limit
constexpr std::size_t max_rank = 8;

constexpr const char* download_again = "The file is damaged; download it again.";
constexpr const char* download_incomplete = "The download is incomplete; resume it or download the file again.";

/// Messages about one tensor begin alike.
struct Place {
  const std::string& file;
  const std::string& tensor;

  [[noreturn]] void fail(ErrorCode code, const std::string& words, const char* next_step = download_again) const {
    throw Error(code, file + ": tensor " + in_quotes(tensor) + " " + words, next_step);
  }
};

std::uint64_t read_u64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < prefix_bytes; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

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
    place.fail(ErrorCode::checkpoint_header,
               "has " + std::to_string(found->size()) + " dimensions; at most " + std::to_string(max_rank) + " are plausible.");
  }
  std::vector<std::int64_t> shape;
  for (const json& dimension : *found) {
    if (!dimension.is_number_unsigned() ||
        dimension.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      place.fail(ErrorCode::checkpoint_header, "has a shape that is not a list of natural numbers.");
    }
    shape.push_back(dimension.get<std::int64_t>());
  }
  return shape;
}

/// Bytes of a dense tensor; elements below one byte are packed.
std::uint64_t dense_bytes(DType dtype, std::span<const std::int64_t> shape, const Place& place) {
  std::optional<std::uint64_t> bits = static_cast<std::uint64_t>(info(dtype).bits);
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
                                                 std::string(to_string(tensor.dtype)) + " " + shape_text(tensor.shape) + " needs " +
                                                 std::to_string(expected) + ".");
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
  const auto malformed = [&] {
    return Error(ErrorCode::checkpoint_header, file + ": __metadata__ must map text to text.", download_again);
  };
  if (!entry.is_object()) throw malformed();
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) throw malformed();
    metadata.emplace(key, value.get_ref<const std::string&>());
  }
  return metadata;
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

bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) { return c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20; });
}

/// Where a shard lies, seen from its index: beside it or some folders below, without detours. Empty for anything else.
std::optional<std::string> shard_path(std::string_view stated) {
  constexpr int deepest = 4;
  while (stated.starts_with("./")) stated.remove_prefix(2);
  int depth = 0;
  for (std::string_view rest = stated;; ++depth) {
    const std::size_t slash = rest.find('/');
    if (depth > deepest || !is_plain_name(rest.substr(0, slash))) return std::nullopt;
    if (slash == std::string_view::npos) return std::string(stated);
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace

SafetensorsContents parse_safetensors(std::span<const std::byte> file, std::string_view file_name) {
  const std::string name(file_name);
  const std::size_t length = header_length(file, name);
  const json header = parse_json_object(as_text(file.subspan(prefix_bytes, length)), name + " (header)", ErrorCode::checkpoint_header,
                                        {.max_bytes = max_header_bytes, .max_depth = 4});
  const std::span<const std::byte> data = file.subspan(prefix_bytes + length);

  SafetensorsContents contents;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      contents.metadata = parse_metadata(name, entry);
    } else {
      contents.tensors.push_back(parse_tensor(name, key, entry, data));
    }
  }
  sort_and_refuse_overlaps(name, contents.tensors);
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
    const std::string& stated = file.get_ref<const std::string&>();
    const std::optional<std::string> shard = shard_path(stated);
    if (!shard)
      throw fail("weight_map puts " + in_quotes(tensor) + " into " + in_quotes(stated) + ", which is not a file within the model folder.");
    index.file_of_tensor.emplace(tensor, *shard);
    index.tensors_of[*shard].push_back(tensor);
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

}  // namespace loupe
