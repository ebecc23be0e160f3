#include "weights/checkpoint.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "weights/convert.h"
#include "weights/describe.h"
#include "weights/folder.h"
#include "weights/gguf_names.h"
#include "weights/tensor_names.h"

namespace loupe {
namespace {

constexpr const char* download_again = "The file is damaged; download it again.";

std::string_view as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

bool is_present(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(path_text(entry.path().filename()));
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(ErrorCode::file_missing, "Cannot read the folder " + path_text(directory) + ": " + error.code().message() + ".",
                "Check that the folder exists and may be read, or choose another model folder.");
  }
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

std::filesystem::path utf8_path(const std::string& name) { return std::filesystem::path(std::u8string(name.begin(), name.end())); }

std::vector<std::string> missing_shards(const std::filesystem::path& directory, const ShardIndex& index) {
  std::vector<std::string> missing;
  for (const auto& [file, tensors] : index.tensors_of) {
    if (!is_present(directory / utf8_path(file))) missing.push_back(file);
  }
  return missing;
}

[[noreturn]] void refuse_missing_shards(const std::filesystem::path& directory, const ShardIndex& index,
                                        const std::vector<std::string>& missing) {
  std::size_t tensors = 0;
  for (const std::string& file : missing) tensors += index.tensors_of.at(file).size();
  const std::size_t all = index.tensors_of.size();
  throw Error(ErrorCode::file_missing,
              path_text(directory) + ": " + missing_words(all - missing.size(), all, "shard", missing) + ", with " +
                  std::to_string(tensors) + " of " + count_of(index.file_of_tensor.size(), "tensor") + ".",
              "Download the missing files into the same folder.");
}

// --- GGUF ----------------------------------------------------------------------------------

constexpr const char* supported_files = "Use a GGUF file of Llama 3.2 Vision (architecture mllama) or of a Llama 3 text model (llama).";

/// Its layer gates lack the tanh that every other file of this layout has, and nothing in it says so.
constexpr const char* known_bad_blob = "sha256-7633fdffe14c";

void refuse_known_bad(const std::string& path) {
  if (path.find(known_bad_blob) == std::string::npos) return;
  throw Error(ErrorCode::checkpoint_unsupported,
              path + " is the vision model as Ollama 0.7.0 converted it, with wrong gates; its answers about pictures are wrong.",
              "Run `ollama pull llama3.2-vision` to replace it.");
}

std::optional<std::string> text_entry(const GgufMetadata& metadata, std::string_view key) {
  const auto found = metadata.find(key);
  const std::optional<std::string_view> text = found == metadata.end() ? std::nullopt : found->second.as_text();
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

std::optional<std::int64_t> integer_entry(const GgufMetadata& metadata, std::string_view key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::nullopt : found->second.as_integer();
}

bool is_projector(const GgufContents& file) {
  if (const auto type = text_entry(file.metadata, "general.type")) return *type == "projector" || *type == "mmproj";
  return false;
}

/// The one architecture of all files; a part of a split file beyond the first need not name it.
std::string architecture_of(const std::vector<GgufContents>& files, const std::vector<std::string>& names) {
  std::optional<std::string> architecture;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::optional<std::string> found = text_entry(files[i].metadata, "general.architecture");
    if (!found) continue;
    if (*found != "mllama" && *found != "llama") {
      throw Error(ErrorCode::checkpoint_unsupported,
                  names[i] + ": general.architecture " + in_quotes(*found) + " is not one that this engine runs.", supported_files);
    }
    if (architecture && *architecture != *found) {
      throw Error(ErrorCode::checkpoint_header,
                  names[i] + " is of architecture " + in_quotes(*found) + ", the file before it of " + in_quotes(*architecture) + ".",
                  "Name the files of one model only.");
    }
    architecture = found;
  }
  if (!architecture) throw Error(ErrorCode::checkpoint_header, names[0] + ": general.architecture is missing.", supported_files);
  return *architecture;
}

/// NAME-00002-of-00003.gguf of any part's name; empty where that is named otherwise.
std::string sibling_part(const std::string& path, std::int64_t number) {
  constexpr std::size_t tail = std::string_view("00001-of-00003.gguf").size();
  const std::string name = path.substr(path.find_last_of("/\\") + 1);
  if (name.size() <= tail || name.substr(name.size() - tail + 5, 4) != "-of-" || !name.ends_with(".gguf")) return "";
  std::string digits = std::to_string(number);
  if (digits.size() > 5) return "";
  digits.insert(0, 5 - digits.size(), '0');
  return name.substr(0, name.size() - tail) + digits + name.substr(name.size() - tail + 5);
}

void refuse_missing_parts(const std::vector<GgufContents>& files, const std::vector<std::string>& paths) {
  constexpr std::int64_t most_parts = 99'999;  // as many as their names count
  std::set<std::int64_t> here;
  std::int64_t announced = 0;
  std::string example;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::int64_t count = integer_entry(files[i].metadata, "split.count").value_or(0);
    if (count < 2) continue;
    if (count > most_parts)
      throw Error(ErrorCode::checkpoint_header, paths[i] + ": split.count is " + std::to_string(count) + ".", download_again);
    announced = std::max(announced, count);
    here.insert(integer_entry(files[i].metadata, "split.no").value_or(static_cast<std::int64_t>(i)));
    example = paths[i];
  }
  std::vector<std::string> missing;
  for (std::int64_t number = 0; number < announced && missing.size() < most_named; ++number) {
    if (here.count(number) > 0) continue;
    const std::string name = sibling_part(example, number + 1);
    missing.push_back(name.empty() ? "part " + std::to_string(number + 1) : name);
  }
  if (missing.empty()) return;
  const auto known = std::count_if(here.begin(), here.end(), [&](std::int64_t number) { return number >= 0 && number < announced; });
  throw Error(ErrorCode::file_missing,
              example + ": " + missing_words(static_cast<std::size_t>(known), static_cast<std::size_t>(announced), "part", missing) + ".",
              "Put all parts into one folder and name the first.");
}

/// NAME.gguf.part1of2: a whole file, cut into pieces that mean nothing alone.
void refuse_pieces(const std::string& path) {
  const std::size_t at = path.rfind(".part");
  if (at == std::string::npos) return;
  const std::string_view numbers = std::string_view(path).substr(at + 5);
  const std::size_t of = numbers.find("of");
  const auto digits = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  };
  if (of == std::string_view::npos || !digits(numbers.substr(0, of)) || !digits(numbers.substr(of + 2))) return;
  const std::string whole = path.substr(0, at), name = whole.substr(whole.find_last_of("/\\") + 1);
  throw Error(ErrorCode::file_truncated,
              path + " is piece " + std::string(numbers.substr(0, of)) + " of " + std::string(numbers.substr(of + 2)) + " of one file, " +
                  name + ".",
              "Join the pieces in their order (cat " + name + ".part* > " + name + "; on Windows: copy /b), and choose the whole file.");
}

void refuse_other_dialects(const Checkpoint& checkpoint) {
  for (const TensorView& tensor : checkpoint.tensors()) {
    const std::string_view name = tensor.stored_name;
    if (name.starts_with("vis.") || name.ends_with("cross_attn_mpl_gate")) {
      throw Error(ErrorCode::checkpoint_unsupported,
                  checkpoint.file_of(tensor) + " is of an experimental dialect of mllama (tensor " + in_quotes(name) +
                      ") that this engine does not run.",
                  "Use the model as Ollama distributes it (`ollama pull llama3.2-vision`), or the published safetensors.");
    }
  }
}

GgufGeometry geometry_of(const std::string& architecture, const GgufMetadata& metadata, const std::vector<TensorView>& tensors) {
  const auto entry = [&](const char* key) { return integer_entry(metadata, architecture + "." + key).value_or(0); };
  GgufGeometry geometry;
  const std::int64_t heads = entry("attention.head_count"), stated = entry("attention.key_length");
  geometry.text_head = stated > 0 ? stated : heads > 0 ? entry("embedding_length") / heads : 0;
  if (geometry.text_head < 0 || geometry.text_head % 2 != 0) geometry.text_head = 0;  // the configuration's check will refuse it
  geometry.vision_hidden = entry("vision.embedding_length");
  geometry.vision_inner = entry("vision.feed_forward_length");
  geometry.legacy_vision =
      std::any_of(tensors.begin(), tensors.end(), [](const TensorView& tensor) { return tensor.stored_name == "v.blk.0.ln1.weight"; });
  return geometry;
}

/// A gate beyond 1 holds no tanh.
void refuse_raw_vision_gates(const Checkpoint& checkpoint) {
  for (const TensorView& tensor : checkpoint.tensors()) {
    if (!tensor.tanh_applied || !is_plain_weight_type(tensor.dtype) || tensor.elements() != 1) continue;
    const float gate = read_floats(tensor)[0];
    if (std::fabs(gate) <= 1) continue;
    throw Error(ErrorCode::checkpoint_unsupported,
                checkpoint.file_of(tensor) + ": the gate " + in_quotes(tensor.stored_name) + " is " + std::to_string(gate) +
                    ", beyond 1. Ollama 0.7.0 converted the model so, and answers about pictures would be wrong.",
                "Run `ollama pull llama3.2-vision` to replace it, or use another copy of the model.");
  }
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& directory) {
  const std::filesystem::path index_path = directory / "model.safetensors.index.json";
  Checkpoint checkpoint;
  checkpoint.source_ = path_text(directory);
  const std::vector<std::string> names = names_in(directory);
  const auto is_named = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };

  // As other tools do, a single file wins over an index left beside it.
  if (is_named("model.safetensors") || !is_named("model.safetensors.index.json")) {
    checkpoint.take_files(directory, weight_files(names, checkpoint.source_));
    return checkpoint;
  }
  const MappedFile index_file(index_path);
  const ShardIndex index = parse_shard_index(as_text(index_file.bytes()), index_file.path());
  const std::vector<std::string> missing = missing_shards(directory, index);
  // The index of another download: nothing of what it names is here, and something else is, whole.
  if (missing.size() == index.tensors_of.size() && has_whole_parts(names))
    checkpoint.take_files(directory, weight_files(names, checkpoint.source_));
  else if (!missing.empty())
    refuse_missing_shards(directory, index, missing);
  else
    checkpoint.take_indexed(directory, index, index_file.path());
  return checkpoint;
}

void Checkpoint::take_files(const std::filesystem::path& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::size_t number = files_.size();
    const MappedFile& file = files_.emplace_back(directory / utf8_path(name));
    file_names_.push_back(file.path());
    for (TensorView& tensor : parse_safetensors(file.bytes(), file.path()).tensors) {
      tensor.file = number;
      tensors_.push_back(std::move(tensor));
    }
  }
  finish();
}

void Checkpoint::take_indexed(const std::filesystem::path& directory, const ShardIndex& index, const std::string& index_path) {
  for (const auto& [shard, listed] : index.tensors_of) {
    const std::size_t number = files_.size();
    const MappedFile& file = files_.emplace_back(directory / utf8_path(shard));
    file_names_.push_back(file.path());
    std::vector<TensorView> held = parse_safetensors(file.bytes(), file.path()).tensors;
    sort_by_name(held);
    for (const std::string& name : listed) {
      const TensorView* tensor = find_by_name(held, name);
      if (tensor == nullptr) {
        throw Error(ErrorCode::checkpoint_tensor,
                    file.path() + " does not hold the tensor " + in_quotes(name) + " that " + index_path + " puts there.",
                    "The shard and the index belong to different downloads; download both again.");
      }
      tensors_.push_back(*tensor);
      tensors_.back().file = number;
    }
  }
  finish();
}

Checkpoint Checkpoint::from_bytes(std::span<const std::byte> file, std::string name) {
  Checkpoint checkpoint;
  checkpoint.file_names_.push_back(name);
  checkpoint.source_ = name;
  if (is_gguf(file)) {
    std::vector<GgufContents> contents;
    contents.push_back(parse_gguf(file, name));
    checkpoint.take_gguf(std::move(contents));
    return checkpoint;
  }
  checkpoint.tensors_ = parse_safetensors(file, name).tensors;
  checkpoint.finish();
  return checkpoint;
}

Checkpoint Checkpoint::open_gguf(std::span<const std::filesystem::path> files) {
  Checkpoint checkpoint;
  std::vector<GgufContents> contents;
  for (const std::filesystem::path& path : files) {
    const MappedFile& file = checkpoint.files_.emplace_back(path);
    checkpoint.file_names_.push_back(file.path());
    refuse_known_bad(file.path());
    refuse_pieces(file.path());
    contents.push_back(parse_gguf(file.bytes(), file.path()));
  }
  if (files.empty()) throw Error(ErrorCode::file_missing, "No GGUF file was named.", "Name a .gguf file.");
  checkpoint.source_ = checkpoint.file_names_[0];
  checkpoint.take_gguf(std::move(contents));
  return checkpoint;
}

void Checkpoint::take_gguf(std::vector<GgufContents> files) {
  refuse_missing_parts(files, file_names_);
  const std::string architecture = architecture_of(files, file_names_);
  // What the text file says goes before what its projector says.
  metadata_.emplace();
  for (const bool projectors : {false, true}) {
    for (const GgufContents& file : files) {
      if (is_projector(file) == projectors) metadata_->insert(file.metadata.begin(), file.metadata.end());
    }
  }
  std::size_t number = 0;
  for (GgufContents& file : files) {
    for (TensorView& tensor : file.tensors) {
      tensor.file = number;
      tensors_.push_back(std::move(tensor));
    }
    ++number;
  }
  refuse_other_dialects(*this);
  const GgufGeometry geometry = geometry_of(architecture, *metadata_, tensors_);
  for (TensorView& tensor : tensors_) {
    if (name_gguf_tensor(tensor, geometry)) continue;
    throw Error(ErrorCode::checkpoint_unsupported,
                file_of(tensor) + " holds a tensor " + in_quotes(tensor.stored_name) +
                    " that this engine does not know, so its results would be wrong.",
                supported_files);
  }
  sort_and_refuse_twins();
  refuse_raw_vision_gates(*this);
}

void Checkpoint::finish() {
  const std::size_t wrapped = wrapper_length(tensors_);
  for (TensorView& tensor : tensors_) tensor.name = canonical_name(std::string_view(tensor.stored_name).substr(wrapped));
  sort_and_refuse_twins();
}

void Checkpoint::sort_and_refuse_twins() {
  sort_by_name(tensors_);
  const auto same =
      std::adjacent_find(tensors_.begin(), tensors_.end(), [](const TensorView& a, const TensorView& b) { return a.name == b.name; });
  if (same != tensors_.end()) {
    const TensorView& other = *std::next(same);
    const bool within_one = same->file == other.file;
    throw Error(ErrorCode::checkpoint_header,
                within_one ? source_ + ": " + in_quotes(same->stored_name) + " and " + in_quotes(other.stored_name) +
                                 " are two spellings of one tensor."
                           : file_of(*same) + " and " + file_of(other) + " both hold the tensor " + in_quotes(same->stored_name) + ".",
                within_one ? download_again : "Name the files of one model only: a whole one, or a text file and its projector.");
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

std::uint64_t Checkpoint::file_bytes() const {
  std::uint64_t total = 0;
  for (const MappedFile& file : files_) total += file.size();
  return total;
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
