#include "weights/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "weights/convert.h"
#include "weights/describe.h"
#include "weights/gguf_names.h"
#include "weights/tensor_names.h"

namespace loupe {
namespace {

constexpr const char* download_again = "The file is damaged; download it again.";

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_present(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::filesystem::path utf8_path(const std::string& name) {
  return std::filesystem::path(std::u8string(name.begin(), name.end()));
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

// --- GGUF ----------------------------------------------------------------------------------

constexpr const char* supported_files = "Use a GGUF file of Llama 3.2 Vision (architecture mllama) or of a Llama 3 text model (llama).";

/// Its layer gates lack the tanh that every other file of this layout has, and nothing in it says so.
constexpr const char* known_bad_blob = "sha256-7633fdffe14c";

void refuse_known_bad(const std::string& path) {
  if (path.find(known_bad_blob) == std::string::npos) return;
  throw Error(ErrorCode::checkpoint_unsupported, path + " is the vision model as Ollama 0.7.0 converted it, with wrong gates; its answers about pictures are wrong.",
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
      throw Error(ErrorCode::checkpoint_unsupported, names[i] + ": general.architecture " + in_quotes(*found) + " is not one that this engine runs.", supported_files);
    }
    if (architecture && *architecture != *found) {
      throw Error(ErrorCode::checkpoint_header, names[i] + " is of architecture " + in_quotes(*found) + ", the file before it of " + in_quotes(*architecture) + ".",
                  "Name the files of one model only.");
    }
    architecture = found;
  }
  if (!architecture) throw Error(ErrorCode::checkpoint_header, names[0] + ": general.architecture is missing.", supported_files);
  return *architecture;
}

void refuse_missing_parts(const std::vector<GgufContents>& files, const std::string& source) {
  std::int64_t parts = 0, announced = 0;
  for (const GgufContents& file : files) {
    const std::optional<std::int64_t> count = integer_entry(file.metadata, "split.count");
    if (!count || *count < 2) continue;
    ++parts;
    announced = *count;
  }
  if (parts != announced) {
    throw Error(ErrorCode::file_missing, source + " is one of " + std::to_string(announced) + " parts of a model; " + std::to_string(parts) + " of them were named.",
                "Name all parts, with commas between them.");
  }
}

void refuse_other_dialects(const Checkpoint& checkpoint) {
  for (const TensorView& tensor : checkpoint.tensors()) {
    const std::string_view name = tensor.stored_name;
    if (name.starts_with("vis.") || name.ends_with("cross_attn_mpl_gate")) {
      throw Error(ErrorCode::checkpoint_unsupported,
                  checkpoint.file_of(tensor) + " is of an experimental dialect of mllama (tensor " + in_quotes(name) + ") that this engine does not run.",
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
  geometry.legacy_vision = std::any_of(tensors.begin(), tensors.end(), [](const TensorView& tensor) { return tensor.stored_name == "v.blk.0.ln1.weight"; });
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
    contents.push_back(parse_gguf(file.bytes(), file.path()));
  }
  if (files.empty()) throw Error(ErrorCode::file_missing, "No GGUF file was named.", "Name a .gguf file.");
  checkpoint.source_ = checkpoint.file_names_[0];
  checkpoint.take_gguf(std::move(contents));
  return checkpoint;
}

void Checkpoint::take_gguf(std::vector<GgufContents> files) {
  const std::string architecture = architecture_of(files, file_names_);
  refuse_missing_parts(files, source_);
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
                file_of(tensor) + " holds a tensor " + in_quotes(tensor.stored_name) + " that this engine does not know, so its results would be wrong.", supported_files);
  }
  sort_and_refuse_twins();
  refuse_raw_vision_gates(*this);
}

void Checkpoint::finish() {
  for (TensorView& tensor : tensors_) tensor.name = canonical_name(tensor.stored_name);
  sort_and_refuse_twins();
}

void Checkpoint::sort_and_refuse_twins() {
  sort_by_name(tensors_);
  const auto same = std::adjacent_find(tensors_.begin(), tensors_.end(),
                                       [](const TensorView& a, const TensorView& b) { return a.name == b.name; });
  if (same != tensors_.end()) {
    const TensorView& other = *std::next(same);
    const bool within_one = same->file == other.file;
    throw Error(ErrorCode::checkpoint_header,
                within_one ? source_ + ": " + in_quotes(same->stored_name) + " and " + in_quotes(other.stored_name) + " are two spellings of one tensor."
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
