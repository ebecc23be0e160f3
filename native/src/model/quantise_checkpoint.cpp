#include "model/quantise_checkpoint.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <thread>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include "base/activity.h"
#include "base/bytes.h"
#include "base/error.h"
#include "model/expected_tensors.h"
#include "weights/convert.h"
#include "weights/describe.h"
#include "weights/gguf_names.h"
#include "weights/gguf_writer.h"
#include "weights/mapped_file.h"
#include "weights/quantise.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

/// Elements that are read, rounded and written together: 16 MiB of float32.
constexpr std::int64_t chunk_elements = std::int64_t{4} << 20;
constexpr std::uint64_t spare_disk = std::uint64_t{64} << 20;

// --- how each tensor is stored ----------------------------------------------------------------------

struct Planned {
  std::string name;                    ///< in GGUF
  const TensorView* source = nullptr;  ///< null: `values` are the tensor
  std::vector<std::int64_t> shape;
  DType dtype = DType::f32;
  std::int64_t paired_head = 0;  ///< rows go into rotation pairs
  std::vector<float> values;
  std::string group;  ///< TensorClass

  std::int64_t elements() const {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    return count;
  }
  /// Elements that must be handled together: rows of block types and of what changes places.
  std::int64_t row() const { return is_block_type(dtype) || paired_head > 0 ? shape.back() : 1; }
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string class_of(std::string_view name) {
  if (name.starts_with("vision.")) {
    if (contains(name, ".self_attn.")) return "vision attention";
    return contains(name, ".mlp.") ? "vision feed-forward" : "vision embeddings and norms";
  }
  if (name.starts_with("projector.")) return "projector";
  if (name == "text.embed_tokens.weight") return "embedding";
  if (name == "text.lm_head.weight") return "output";
  const std::string attention = contains(name, ".cross_attn.") ? "cross-attention" : "attention";
  if (name.ends_with(".v_proj.weight")) return attention + " value";
  if (name.ends_with("_proj.weight") && contains(name, "_attn.")) return attention + " query, key, output";
  if (name.ends_with(".down_proj.weight")) return "feed-forward down";
  return contains(name, ".mlp.") ? "feed-forward gate, up" : "norms, gates and factors";
}

/// The layer of "text.layers.N. ...".
int layer_of(std::string_view name) {
  constexpr std::string_view prefix = "text.layers.";
  return name.starts_with(prefix) ? std::atoi(std::string(name.substr(prefix.size())).c_str()) : -1;
}

/// The layers whose value and down projections get more bits: the first and last eighth, and every third between.
bool has_more_bits(int layer, int layers) { return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2; }

/// `wanted`, or what comes closest where rows hold no whole blocks of it.
DType fitting(DType wanted, std::int64_t row) {
  if (row % info(wanted).block == 0) return wanted;
  return row % info(DType::q8_0).block == 0 ? DType::q8_0 : DType::f16;
}

DType type_for(const ExpectedTensor& tensor, DType stored, const ModelConfig& config, const QuantiseRequest& request) {
  const std::string_view name = tensor.name;
  if (tensor.shape.size() < 2 || name.ends_with("gated_positional_embedding.embedding")) return DType::f32;
  // Tables of whole embeddings have no kernel for blocks; they keep their type, so they lose nothing.
  if (contains(name, "tile_positional_embedding") || contains(name, "tile_embedding")) return stored;
  if (name.starts_with("projector.")) return DType::f16;
  if (name.starts_with("vision."))
    return request.vision == VisionPrecision::q8_0 && tensor.shape.size() == 2 ? fitting(DType::q8_0, tensor.shape.back()) : DType::f16;
  if (request.text == TextPrecision::q8_0) return fitting(DType::q8_0, tensor.shape.back());
  const bool makes_logits = name == output_weight_name(config);
  const bool sensitive = name.ends_with(".v_proj.weight") || name.ends_with(".down_proj.weight");
  const bool more = makes_logits || (sensitive && has_more_bits(layer_of(name), config.text.num_layers));
  return fitting(more ? DType::q6_k : DType::q4_k, tensor.shape.back());
}

float gate_of(const Checkpoint& checkpoint, const std::string& name) { return std::tanh(read_floats(checkpoint.at(name)).at(0)); }

std::vector<Planned> plan_tensors(const ModelConfig& config, const Checkpoint& checkpoint, const QuantiseRequest& request) {
  std::vector<Planned> plan;
  const auto add_values = [&](std::string name, std::vector<float> values) {
    Planned made;
    made.name = std::move(name);
    made.shape = {static_cast<std::int64_t>(values.size())};
    made.values = std::move(values);
    made.group = class_of("text.norm.weight");
    plan.push_back(std::move(made));
  };
  if (std::vector<float> factors = rope_factors(config.text); !factors.empty())
    add_values(gguf_name(rope_factors_name).value(), std::move(factors));
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    TensorView named;
    named.stored_name = gguf_name(tensor.name).value();
    name_gguf_tensor(named, {config.text.head_dim, 0, 0, false});
    if (named.tanh_applied) {
      const float gate = gate_of(checkpoint, tensor.name);
      add_values(named.stored_name, {gate});
      if (tensor.name == "vision.gated_positional_embedding.gate") add_values(gguf_name(position_factor_name).value(), {1 - gate});
      continue;
    }
    Planned planned;
    planned.name = named.stored_name;
    planned.source = &checkpoint.at(tensor.name);
    planned.shape = tensor.shape;
    planned.dtype = type_for(tensor, planned.source->dtype, config, request);
    planned.paired_head = named.paired_head;
    planned.group = class_of(tensor.name);
    plan.push_back(std::move(planned));
  }
  return plan;
}

// --- the header -----------------------------------------------------------------------------------

/// Identifies the weights without reading them: names, sizes and times of the files.
std::string fingerprint(const Checkpoint& checkpoint) {
  std::uint64_t hash = 0xCBF29CE484222325;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  };
  std::set<std::string> files;
  for (const TensorView& tensor : checkpoint.tensors()) {
    files.insert(checkpoint.file_of(tensor));
    add(tensor.stored_name + " " + std::string(to_string(tensor.dtype)) + shape_text(tensor.shape));
  }
  for (const std::string& file : files) {
    const fs::path path(std::u8string(file.begin(), file.end()));
    add(file + std::to_string(fs::file_size(path)) + std::to_string(fs::last_write_time(path).time_since_epoch().count()));
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

void write_configuration(GgufWriter& out, const ModelConfig& config) {
  const std::string own = std::string(to_string(config.architecture)) + ".";
  const auto u32 = [&](const std::string& key, int value) { out.u32(own + key, static_cast<std::uint32_t>(value)); };
  const TextConfig& text = config.text;
  u32("block_count", text.num_layers);
  u32("context_length", text.max_position_embeddings);
  u32("embedding_length", text.hidden_size);
  u32("feed_forward_length", text.intermediate_size);
  u32("attention.head_count", text.num_heads);
  u32("attention.head_count_kv", text.num_kv_heads);
  if (text.head_dim * text.num_heads != text.hidden_size) u32("attention.key_length", text.head_dim);
  out.f32(own + "attention.layer_norm_rms_epsilon", text.rms_norm_eps);
  out.f32(own + "rope.freq_base", text.rope_theta);
  u32("rope.dimension_count", text.head_dim);
  u32("vocab_size", text.vocab_size);
  if (text.bos_token) out.u32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(*text.bos_token));
  if (!text.eos_tokens.empty()) {
    // The last is the one that ends a turn; the list is Ollama's key for all of them.
    out.u32("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(text.eos_tokens.back()));
    out.integers("tokenizer.ggml.eos_token_ids", text.eos_tokens);
  }
  if (!config.vision) return;
  const VisionConfig& vision = *config.vision;
  out.integers(own + "attention.cross_attention_layers", text.cross_attention_layers);
  u32("vision.block_count", vision.num_hidden_layers);
  u32("vision.global.block_count", vision.num_global_layers);
  u32("vision.embedding_length", vision.hidden_size);
  u32("vision.feed_forward_length", vision.intermediate_size);
  u32("vision.attention.head_count", vision.attention_heads);
  out.f32(own + "vision.attention.layer_norm_epsilon", vision.norm_eps);
  u32("vision.image_size", vision.image_size);
  u32("vision.patch_size", vision.patch_size);
  u32("vision.max_num_tiles", vision.max_num_tiles);
  u32("vision.num_channels", 3);
  out.integers(own + "vision.intermediate_layers_indices", vision.intermediate_layers_indices);
  out.floats(own + "vision.image_mean", vision.image_mean);
  out.floats(own + "vision.image_std", vision.image_std);
}

GgufWriter write_header(const ModelConfig& config, const Checkpoint& checkpoint, const QuantiseRequest& request,
                        const std::vector<Planned>& plan) {
  constexpr std::uint32_t mostly_q8_0 = 7, mostly_q4_k_m = 15;
  GgufWriter out;
  out.text("general.architecture", to_string(config.architecture));
  out.text("general.type", "model");
  out.text("general.name", path_text(request.target.stem()));
  out.u32("general.file_type", request.text == TextPrecision::q8_0 ? mostly_q8_0 : mostly_q4_k_m);
  out.u32("general.quantization_version", 2);
  out.text("loupe.source", fingerprint(checkpoint));
  write_configuration(out, config);
  for (const auto& [key, value] : request.entries) {
    std::visit(
        [&](const auto& given) {
          using Given = std::decay_t<decltype(given)>;
          if constexpr (std::is_same_v<Given, std::string>)
            out.text(key, given);
          else if constexpr (std::is_same_v<Given, std::vector<std::string>>)
            out.texts(key, given);
          else if constexpr (std::is_same_v<Given, bool>)
            out.boolean(key, given);
          else if constexpr (std::is_same_v<Given, std::uint32_t>)
            out.u32(key, given);
          else if constexpr (std::is_same_v<Given, float>)
            out.f32(key, given);
          else
            out.integers(key, given);
        },
        value);
  }
  for (const Planned& tensor : plan) out.tensor(tensor.name, tensor.shape, tensor.dtype);
  return out;
}

// --- the file -------------------------------------------------------------------------------------

/// FILE.part: grows at its end, reaches the disk now and then, becomes FILE.
class PartFile {
 public:
  PartFile(fs::path target, std::uint64_t sync_bytes) : target_(std::move(target)), path_(target_), sync_bytes_(sync_bytes) {
    path_ += ".part";
  }
  ~PartFile() {
    if (file_) std::fclose(file_);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const fs::path& path() const { return path_; }

  /// Keeps the first `keep` bytes, 0 = begins anew.
  void open(std::uint64_t keep) {
    if (keep > 0) {
      std::error_code failed;
      fs::resize_file(path_, keep, failed);
      if (failed) fail(failed.value());
    }
#ifdef _WIN32
    file_ = _wfopen(path_.c_str(), keep > 0 ? L"ab" : L"wb");
#else
    file_ = std::fopen(path_.c_str(), keep > 0 ? "ab" : "wb");
#endif
    if (!file_) fail(errno);
  }

  void write(std::span<const std::byte> bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail(errno);
    unsynced_ += bytes.size();
    if (unsynced_ >= sync_bytes_) sync();
  }

  void finish() {
    sync();
    std::FILE* const file = std::exchange(file_, nullptr);
    if (std::fclose(file) != 0) fail(errno);
    std::error_code failed;
    fs::rename(path_, target_, failed);
    if (failed) fail(failed.value());
  }

 private:
  void sync() {
#ifdef _WIN32
    const bool synced = std::fflush(file_) == 0 && _commit(_fileno(file_)) == 0;
#else
    const bool synced = std::fflush(file_) == 0 && fsync(fileno(file_)) == 0;
#endif
    if (!synced) fail(errno);
    unsynced_ = 0;
  }

  [[noreturn]] void fail(int code) const {
    if (code == ENOSPC)
      throw Error(ErrorCode::disk_full, "The disk is full: " + path_text(path_) + " cannot be written.",
                  "Make room and start again; what is written stays.");
    throw Error(ErrorCode::file_unwritable, path_text(path_) + " cannot be written: " + std::generic_category().message(code) + ".",
                "Choose another place, or check the permissions.");
  }

  fs::path target_, path_;
  std::FILE* file_ = nullptr;
  std::uint64_t sync_bytes_, unsynced_ = 0;
};

/// Bytes of a part that can be trusted: whole tensors, synced to the disk. 0 when another source or other settings made it.
std::uint64_t trusted_bytes(const fs::path& part, const std::string& header, const GgufWriter& writer, std::size_t tensors,
                            std::uint64_t sync_bytes) {
  std::error_code none;
  const std::uint64_t size = fs::file_size(part, none);
  if (none || size < header.size() + sync_bytes) return 0;
  std::string found(header.size(), '\0');
  std::ifstream file(part, std::ios::binary);
  if (!file.read(found.data(), static_cast<std::streamsize>(found.size())) || found != header) return 0;
  const std::uint64_t synced = size - sync_bytes;
  std::uint64_t trusted = 0;
  for (std::size_t i = 0; i < tensors; ++i) {
    if (header.size() + writer.offset(i) <= synced) trusted = header.size() + writer.offset(i);
  }
  return trusted;
}

void require_room(const fs::path& target, std::uint64_t bytes) {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  if (unknown) throw Error(ErrorCode::file_unwritable, "There is no folder " + path_text(folder) + ".", "Choose another place.");
  if (space.available >= bytes + spare_disk) return;
  throw Error(ErrorCode::disk_full,
              "The quantised model takes " + bytes_text(bytes) + ", but the disk has " + bytes_text(space.available) + " free.",
              "Free some space, or choose another disk.");
}

// --- the work -------------------------------------------------------------------------------------

struct Squares {
  double difference = 0, whole = 0;
};

/// Row `row` of the file among the rows of the published tensor: the inverse of TensorView::stored_row.
std::int64_t published_row(std::int64_t row, std::int64_t head) {
  const std::int64_t in_head = row % head;
  return row - in_head + in_head % 2 * (head / 2) + in_head / 2;
}

/// Elements [first, first + out.size()) of the tensor as the file orders them.
void read_planned(const Planned& tensor, std::int64_t first, std::span<float> out) {
  if (!tensor.source) {
    std::copy_n(tensor.values.begin() + first, out.size(), out.begin());
    return;
  }
  const auto part = [&](std::int64_t begin, std::size_t count) {
    const std::uint64_t element = stored_bytes(tensor.source->dtype, 1);
    return tensor.source->bytes.subspan(static_cast<std::uint64_t>(begin) * element, count * element);
  };
  if (tensor.paired_head == 0) return to_floats(tensor.source->dtype, part(first, out.size()), out);
  const std::int64_t cols = tensor.shape.back();
  for (std::size_t done = 0; done < out.size(); done += static_cast<std::size_t>(cols)) {
    const std::int64_t row = published_row((first + static_cast<std::int64_t>(done)) / cols, tensor.paired_head);
    to_floats(tensor.source->dtype, part(row * cols, static_cast<std::size_t>(cols)), out.subspan(done, static_cast<std::size_t>(cols)));
  }
}

/// Elements [first, first + count) of the tensor -> `bytes`, or compared with what `bytes` hold already.
Squares convert(const Planned& tensor, std::int64_t first, std::int64_t count, std::span<std::byte> bytes, bool present) {
  std::vector<float> values(static_cast<std::size_t>(count)), rounded(values.size());
  read_planned(tensor, first, values);
  if (!present) {
    if (is_block_type(tensor.dtype))
      quantise(tensor.dtype, values, bytes);
    else
      write_floats(values, tensor.dtype, bytes);
  }
  to_floats(tensor.dtype, bytes, rounded);
  Squares squares;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = static_cast<double>(rounded[i]) - values[i];
    squares.difference += difference * difference;
    squares.whole += static_cast<double>(values[i]) * values[i];
  }
  return squares;
}

/// Shares [0, count) in pieces of `piece` among threads.
Squares in_parallel(std::int64_t count, std::int64_t piece, unsigned threads,
                    const std::function<Squares(std::int64_t first, std::int64_t count)>& work) {
  std::atomic<std::int64_t> next{0};
  std::mutex guard;
  Squares sum;
  std::exception_ptr failure;
  const auto run = [&] {
    try {
      for (std::int64_t first = next.fetch_add(piece); first < count; first = next.fetch_add(piece)) {
        const Squares part = work(first, std::min(piece, count - first));
        activity::step();
        const std::lock_guard lock(guard);
        sum.difference += part.difference;
        sum.whole += part.whole;
      }
    } catch (...) {
      const std::lock_guard lock(guard);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> workers;
    const std::int64_t pieces = (count + piece - 1) / piece;
    for (std::int64_t i = 1; i < std::min<std::int64_t>(threads, pieces); ++i) workers.emplace_back(run);
    run();
  }
  if (failure) std::rethrow_exception(failure);
  return sum;
}

/// A multiple of `unit` near `wanted`, at least one.
std::int64_t whole_units(std::int64_t wanted, std::int64_t unit) { return std::max<std::int64_t>(1, wanted / unit) * unit; }

class Conversion {
 public:
  Conversion(const Checkpoint& checkpoint, const std::vector<Planned>& plan, unsigned threads, const std::atomic<bool>* cancel,
             const std::function<void(std::uint64_t, std::uint64_t)>& progress)
      : checkpoint_(checkpoint), threads_(threads), cancel_(cancel), progress_(progress) {
    for (const Planned& tensor : plan) total_ += tensor.source ? tensor.source->bytes.size() : 0;
  }

  /// Writes the tensor to `file`; with `present` bytes measures them instead.
  void run(const Planned& tensor, PartFile* file, std::span<const std::byte> present) {
    // Whole heads, so that each chunk of the file is the same chunk of the source.
    const std::int64_t unit = tensor.row() * std::max<std::int64_t>(1, tensor.paired_head), elements = tensor.elements();
    const std::int64_t chunk = whole_units(chunk_elements, unit), piece = whole_units(chunk_elements / 64, tensor.row());
    std::vector<std::byte> bytes;
    Group& group = groups_[tensor.group];
    for (std::int64_t first = 0; first < elements; first += chunk) {
      if (cancel_ && *cancel_) throw Error(ErrorCode::cancelled, "Quantising was cancelled.", "Start it again to go on where it was.");
      const std::int64_t count = std::min(chunk, elements - first);
      bytes.resize(stored_bytes(tensor.dtype, static_cast<std::uint64_t>(count)));
      if (!file)
        std::copy_n(present.begin() + static_cast<std::ptrdiff_t>(stored_bytes(tensor.dtype, static_cast<std::uint64_t>(first))),
                    bytes.size(), bytes.begin());
      const Squares squares = in_parallel(count, piece, threads_, [&](std::int64_t begin, std::int64_t length) {
        const std::span<std::byte> part = std::span(bytes).subspan(stored_bytes(tensor.dtype, static_cast<std::uint64_t>(begin)),
                                                                   stored_bytes(tensor.dtype, static_cast<std::uint64_t>(length)));
        return convert(tensor, first + begin, length, part, !file);
      });
      group.squares.difference += squares.difference;
      group.squares.whole += squares.whole;
      if (file) file->write(bytes);
      release(tensor, first, count);
    }
    const std::uint64_t size = stored_bytes(tensor.dtype, static_cast<std::uint64_t>(elements));
    if (file) file->write(std::vector<std::byte>(GgufWriter::padded(size) - size));
    group.types.insert(std::string(to_string(tensor.dtype)));
    group.tensors += 1;
    group.elements += static_cast<std::uint64_t>(elements);
    group.bytes += size;
  }

  std::vector<TensorClass> classes() const {
    std::vector<TensorClass> list;
    for (const auto& [name, group] : groups_) {
      std::string types;
      for (const std::string& type : group.types) types += (types.empty() ? "" : ", ") + type;
      list.push_back({name, types, group.tensors, group.elements, group.bytes,
                      group.squares.whole > 0 ? std::sqrt(group.squares.difference / group.squares.whole) : 0});
    }
    return list;
  }

 private:
  struct Group {
    std::set<std::string> types;
    std::uint64_t tensors = 0, elements = 0, bytes = 0;
    Squares squares;
  };

  void release(const Planned& tensor, std::int64_t first, std::int64_t count) {
    if (!tensor.source) return;
    TensorView part = *tensor.source;
    part.bytes = part.bytes.subspan(stored_bytes(part.dtype, static_cast<std::uint64_t>(first)),
                                    stored_bytes(part.dtype, static_cast<std::uint64_t>(count)));
    checkpoint_.release(part);
    done_ += part.bytes.size();
    if (progress_) progress_(done_, total_);
  }

  const Checkpoint& checkpoint_;
  unsigned threads_;
  const std::atomic<bool>* cancel_;
  const std::function<void(std::uint64_t, std::uint64_t)>& progress_;
  std::uint64_t done_ = 0, total_ = 0;
  std::map<std::string, Group> groups_;
};

void require_name(const fs::path& target) {
  const std::string name = path_text(target.filename());
  if (name.starts_with("Llama") && name.ends_with(".gguf")) return;
  throw Error(
      ErrorCode::file_unwritable,
      "The file would be called " + in_quotes(name) + "; the licence of Llama asks that the name of a model made from it begin with Llama.",
      "Choose a name such as Llama-3.2-11B-Vision-Instruct-Q4_K_M.gguf.");
}

}  // namespace

std::vector<float> rope_factors(const TextConfig& text) {
  const RopeScaling& scaling = text.rope_scaling;
  if (scaling.kind != RopeScaling::Kind::llama3) return scaling.factors;
  std::vector<float> factors;
  for (int i = 0; i < text.head_dim / 2; ++i) {
    const double wavelength = 2 * std::numbers::pi * std::pow(static_cast<double>(text.rope_theta), 2.0 * i / text.head_dim),
                 original = scaling.original_max_position_embeddings;
    if (wavelength < original / scaling.high_freq_factor)
      factors.push_back(1);
    else if (wavelength > original / scaling.low_freq_factor)
      factors.push_back(scaling.factor);
    else {
      const double smooth = (original / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
      factors.push_back(static_cast<float>(1 / ((1 - smooth) / scaling.factor + smooth)));
    }
  }
  return factors;
}

QuantiseReport quantise_checkpoint(const QuantiseRequest& request, const std::atomic<bool>* cancel,
                                   const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  require_name(request.target);
  const ModelConfig config = load_model_config(request.source);
  const Checkpoint checkpoint = Checkpoint::open(request.source);
  check_tensors(config, checkpoint);
  const std::vector<Planned> plan = plan_tensors(config, checkpoint, request);
  const GgufWriter writer = write_header(config, checkpoint, request, plan);
  const std::string header = writer.header();

  PartFile file(request.target, request.sync_bytes);
  const std::uint64_t kept = trusted_bytes(file.path(), header, writer, plan.size(), request.sync_bytes);
  require_room(request.target, header.size() + writer.data_bytes() - kept);
  Conversion conversion(checkpoint, plan, request.threads ? request.threads : std::max(1u, std::thread::hardware_concurrency()), cancel,
                        progress);
  std::size_t next = 0;
  if (kept > 0) {
    const MappedFile present(file.path());
    for (; next < plan.size() && header.size() + writer.offset(next) < kept; ++next) {
      const std::size_t begin = static_cast<std::size_t>(header.size() + writer.offset(next));
      conversion.run(plan[next], nullptr, present.bytes().subspan(begin));
      present.advise_done(begin, stored_bytes(plan[next].dtype, static_cast<std::uint64_t>(plan[next].elements())));
    }
  }
  file.open(kept);
  if (kept == 0) file.write(std::as_bytes(std::span(header)));
  for (; next < plan.size(); ++next) conversion.run(plan[next], &file, {});
  file.finish();
  return {header.size() + writer.data_bytes(), kept > 0, conversion.classes()};
}

}  // namespace loupe
