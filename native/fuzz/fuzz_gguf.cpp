// Deterministic mutation of GGUF files: whatever a header says, the reader, the names, the configuration and the way of a
// row to the device succeed or throw loupe::Error. Anything else fails: another exception, a read outside the file
// (AddressSanitizer), undefined arithmetic (UBSan), tensors that overlap, an allocation out of proportion to the file.
//
//   fuzz_gguf [ITERATIONS = 200000] [SEED = 1]
//
// Each iteration depends on SEED and its own number only, so a failure is repeated by `fuzz_gguf 1 SEED NUMBER`, the
// third argument being the iteration to begin with.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "graph/row_layout.h"
#include "model/expected_tensors.h"
#include "random.h"
#include "run.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/gguf_names.h"
#include "weights/gguf_writer.h"

namespace {

using loupe::DType;
using loupe::GgufWriter;
using loupe::fuzz::Random;

constexpr std::array<std::uint64_t, 22> odd_numbers = {
    0,     1,     2,          3,          7,          8,           31,         32,         33,         255,        256,
    65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 1ull << 40, 1ull << 56, 1ull << 62, 1ull << 63, ~0ull};

constexpr std::array<const char*, 18> odd_names = {"vis.blk.0.attn_q.weight",
                                                   "blk.1.cross_attn_mpl_gate",
                                                   "blk.0.attn_q.weight",
                                                   "blk.99.attn_q.weight",
                                                   "v.blk.0.ln1.weight",
                                                   "output.weight",
                                                   "rope_freqs.weight",
                                                   "general.architecture",
                                                   "general.alignment",
                                                   "split.count",
                                                   "split.no",
                                                   "mmproj",
                                                   "llama",
                                                   "mllama",
                                                   "qwen2",
                                                   "projector",
                                                   "\xff\xfe",
                                                   "x"};

std::uint64_t read_number(const std::string& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

void write_number(std::string& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

/// An odd number, or a near miss: off by a little, or by a factor of two.
void edit_number(std::string& bytes, std::size_t at, std::size_t size, Random& random) {
  const std::uint64_t old = read_number(bytes, at, size);
  const std::uint64_t near[] = {old + 1, old - 1, old * 2, old / 2, old + 32, old - 32, old + random.below(4096)};
  write_number(bytes, at, size, random.one_in(2) ? random.pick(odd_numbers) : random.pick(near));
}

/// A file and where its names stand.
struct Seed {
  std::string header;
  /// Small scales, so that gates and factors pass their checks now and then.
  std::string data;
  std::vector<std::string> keys, tensors;
};

/// A number behind a key or a tensor's name: its type, its rank, a size, an offset.
void edit_field(std::string& header, const std::vector<std::string>& names, Random& random) {
  const std::string& name = random.pick(names);
  const std::size_t at = header.find(name);
  if (at == std::string::npos) return;
  const std::size_t field = random.below(6), behind = at + name.size();
  if (field == 0)
    edit_number(header, at - 8, 8, random);  // the name's length
  else if (field == 1)
    edit_number(header, behind, 4, random);  // type, or rank
  else if (field <= 3)
    edit_number(header, behind + 4 + 8 * random.below(4), 8, random);
  else
    edit_number(header, behind + 4 + 4 * random.below(8), 4, random);
}

void rename(std::string& header, const std::vector<std::string>& names, Random& random) {
  const std::string& name = random.pick(names);
  const std::size_t at = header.find(name);
  if (at == std::string::npos || at < 8) return;
  const std::string with = random.one_in(2) ? std::string(random.pick(odd_names)) : random.pick(names);
  header.replace(at, name.size(), with);
  write_number(header, at - 8, 8, with.size());
}

void mutate(std::string& header, const Seed& seed, Random& random) {
  for (std::size_t n = 1 + random.below(3); n > 0 && header.size() > 24; --n) {
    switch (random.below(12)) {
      case 0: header[random.below(header.size())] ^= static_cast<char>(1 + random.below(255)); break;
      case 1: header.erase(random.below(header.size()), 1 + random.below(64)); break;
      case 2: header.insert(random.below(header.size()), header.substr(random.below(header.size()), 1 + random.below(128))); break;
      case 3: edit_number(header, random.below(header.size()), random.one_in(2) ? 4 : 8, random); break;
      case 4: edit_number(header, 4 + 4 * random.below(5), random.one_in(2) ? 4 : 8, random); break;  // version and counts
      case 5:
      case 6: edit_field(header, seed.keys, random); break;
      case 7: rename(header, random.one_in(2) ? seed.keys : seed.tensors, random); break;
      default: edit_field(header, seed.tensors, random); break;
    }
  }
}

// --- seeds ---------------------------------------------------------------------------------

constexpr std::string_view vision_config = R"({"model_type": "mllama", "image_token_index": 40,
  "text_config": {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                  "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64, "cross_attention_layers": [1]},
  "vision_config": {"hidden_size": 32, "num_hidden_layers": 1, "num_global_layers": 1, "attention_heads": 4,
                    "intermediate_size": 64, "image_size": 16, "patch_size": 8, "max_num_tiles": 2,
                    "intermediate_layers_indices": [0]}})";
constexpr std::string_view text_config =
    R"({"model_type": "llama", "vocab_size": 40, "hidden_size": 256, "num_hidden_layers": 1, "num_attention_heads": 4,
  "num_key_value_heads": 2, "intermediate_size": 256, "max_position_embeddings": 64, "tie_word_embeddings": true})";

void write_metadata(GgufWriter& out, const loupe::ModelConfig& config) {
  const std::string name = to_string(config.architecture), own = name + ".";
  const auto u32 = [&](const std::string& key, int value) { out.u32(own + key, static_cast<std::uint32_t>(value)); };
  out.text("general.architecture", name);
  u32("block_count", config.text.num_layers);
  u32("context_length", config.text.max_position_embeddings);
  u32("embedding_length", config.text.hidden_size);
  u32("feed_forward_length", config.text.intermediate_size);
  u32("attention.head_count", config.text.num_heads);
  u32("attention.head_count_kv", config.text.num_kv_heads);
  u32("vocab_size", config.text.vocab_size);
  u32("rope.dimension_count", config.text.head_dim);
  out.f32(own + "attention.layer_norm_rms_epsilon", 1e-5f);
  out.f32(own + "rope.freq_base", 5e5f);
  out.u32("tokenizer.ggml.bos_token_id", 1);
  out.integers("tokenizer.ggml.eos_token_ids", std::array<std::int32_t, 2>{2, 3});
  std::vector<std::string> tokens(41, "token");
  tokens[40] = "<|image|>";
  out.texts("tokenizer.ggml.tokens", tokens);
  out.boolean("tokenizer.ggml.add_bos_token", true);
  if (!config.vision) return;
  out.integers(own + "attention.cross_attention_layers", config.text.cross_attention_layers);
  u32("vision.block_count", config.vision->num_hidden_layers);
  u32("vision.global.block_count", config.vision->num_global_layers);
  u32("vision.embedding_length", config.vision->hidden_size);
  u32("vision.feed_forward_length", config.vision->intermediate_size);
  u32("vision.attention.head_count", config.vision->attention_heads);
  u32("vision.image_size", config.vision->image_size);
  u32("vision.patch_size", config.vision->patch_size);
  u32("vision.max_num_tiles", config.vision->max_num_tiles);
  out.f32(own + "vision.attention.layer_norm_epsilon", 1e-5f);
  out.integers(own + "vision.intermediate_layers_indices", config.vision->intermediate_layers_indices);
}

/// Types of every kind: a block type wherever rows allow one.
DType type_for(std::span<const std::int64_t> shape, std::size_t index) {
  constexpr DType large[] = {DType::q4_k, DType::q5_k, DType::q6_k, DType::q2_k, DType::q3_k},
                  small[] = {DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1};
  if (shape.size() != 2) return DType::f32;
  if (shape.back() % 256 == 0) return large[index % 5];
  return shape.back() % 32 == 0 && shape.back() < 256 ? small[index % 5] : index % 2 ? DType::f16 : DType::bf16;
}

Seed seed_of(std::string_view config_text) {
  const loupe::ModelConfig config = loupe::parse_model_config({config_text, std::nullopt, std::nullopt});
  Seed seed;
  GgufWriter out;
  write_metadata(out, config);
  std::vector<loupe::ExpectedTensor> tensors = loupe::expected_tensors(config);
  tensors.push_back({loupe::rope_factors_name, {config.text.head_dim / 2}});
  if (config.vision) tensors.push_back({loupe::position_factor_name, {1}});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string name = loupe::gguf_name(tensors[i].name).value();
    out.tensor(name, tensors[i].shape, type_for(tensors[i].shape, i));
    seed.tensors.push_back(name);
  }
  seed.header = out.header();
  seed.data.resize(out.data_bytes());
  const float half = 0.5f;
  for (std::size_t at = 0; at + 4 <= seed.data.size(); at += 4) std::memcpy(seed.data.data() + at, &half, 4);
  const std::string whole = seed.header + seed.data;
  const loupe::GgufContents contents = loupe::parse_gguf(std::as_bytes(std::span(whole)), "seed");
  for (const auto& [key, value] : contents.metadata) seed.keys.push_back(key);
  return seed;
}

// --- one iteration -------------------------------------------------------------------------

void require_inside(const loupe::Checkpoint& checkpoint, std::span<const std::byte> file) {
  std::vector<std::pair<const std::byte*, const std::byte*>> ranges;
  for (const loupe::TensorView& tensor : checkpoint.tensors()) {
    const std::byte* begin = tensor.bytes.data();
    if (begin < file.data() || begin > file.data() + file.size() ||
        tensor.bytes.size() > static_cast<std::size_t>(file.data() + file.size() - begin)) {
      throw std::logic_error("accepted a tensor outside the file");
    }
    if (!tensor.bytes.empty()) ranges.emplace_back(begin, begin + tensor.bytes.size());
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) throw std::logic_error("accepted tensors that overlap");
  }
}

class Fuzzer {
 public:
  Fuzzer() {
    seeds_.push_back(seed_of(vision_config));
    seeds_.push_back(seed_of(text_config));
    for (const Seed& seed : seeds_) use(seed.header + seed.data);  // seeds must pass: a fuzzer that begins with broken ones finds nothing
  }

  /// True when everything was accepted.
  bool iterate(Random& random) {
    const Seed& seed = random.pick(seeds_);
    std::string& file = file_;
    file = seed.header;
    mutate(file, seed, random);
    // Mutations change the header's length; mostly the data are where its new length says.
    if (!random.one_in(8)) file.resize(GgufWriter::padded(file.size()), '\0');
    file += seed.data;
    // Parts joined byte by byte.
    if (random.one_in(64)) file += file;
    if (random.one_in(16)) file.resize(random.below(file.size() + 1));
    try {
      use(file);
      return true;
    } catch (const loupe::Error& error) {
      ++refusals_[to_string(error.code())];
      return false;
    }
  }

  const std::map<std::string, std::size_t>& refusals() const { return refusals_; }

 private:
  /// Everything that loading does before the device sees a byte. The copy has the file's exact size, for AddressSanitizer.
  void use(const std::string& text) {
    const std::unique_ptr<std::byte[]> exact(new std::byte[text.size()]);
    std::memcpy(exact.get(), text.data(), text.size());
    const std::span<const std::byte> file(exact.get(), text.size());
    const loupe::Checkpoint checkpoint = loupe::Checkpoint::from_bytes(file, "fuzz");
    require_inside(checkpoint, file);
    if (!checkpoint.metadata()) return;
    for (const auto& [key, value] : *checkpoint.metadata()) {
      value.for_each([&](const loupe::GgufValue& one) {
        sink_ = sink_ + one.bytes.size() + static_cast<std::uint64_t>(one.as_integer().value_or(1));
      });
    }
    const loupe::ModelConfig config = loupe::gguf_model_config(checkpoint);
    loupe::check_tensors(config, checkpoint);
    for (const loupe::ExpectedTensor& expected : loupe::expected_tensors(config)) read(checkpoint.at(expected.name));
  }

  /// First and last row as the device gets them.
  void read(const loupe::TensorView& tensor) {
    if (tensor.bytes.size() != loupe::stored_bytes(tensor.dtype, static_cast<std::uint64_t>(tensor.elements())))
      throw std::logic_error("accepted a tensor whose bytes contradict its shape");
    const std::int64_t rows = tensor.shape.empty() ? 1 : tensor.shape[0], cols = tensor.elements() / rows;
    if (tensor.shape.size() < 2) {
      for (const float value : loupe::read_floats(tensor)) sink_ = sink_ + (value > 0);
      return;
    }
    const std::uint64_t row_bytes = loupe::stored_bytes(tensor.dtype, static_cast<std::uint64_t>(cols));
    const std::uint32_t width = static_cast<std::uint32_t>(cols), stride = (width + 7) / 8 * 8;
    std::vector<std::byte> packed(loupe::device_row_bytes(loupe::device_type(tensor.dtype), stride));
    for (const std::int64_t row : {std::int64_t{0}, rows - 1}) {
      const std::int64_t stored = tensor.stored_row(row);
      if (stored < 0 || stored >= rows) throw std::logic_error("a row is stored outside its tensor");
      loupe::pack_row(tensor.dtype, tensor.bytes.subspan(static_cast<std::uint64_t>(stored) * row_bytes, row_bytes), width, packed);
      sink_ = sink_ + std::to_integer<std::uint64_t>(packed[0]);
    }
  }

  std::vector<Seed> seeds_;
  std::map<std::string, std::size_t> refusals_;
  /// The file of an iteration; kept, because fresh memory of this size costs more than what is tested.
  std::string file_;
  volatile std::uint64_t sink_ = 0;
};

}  // namespace

// Nothing in a seed needs a tenth of this: a count taken from a header must be checked before it is believed.
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=64:quarantine_size_mb=16"; }

int main(int argc, char** argv) { return loupe::fuzz::run<Fuzzer>(argc, argv); }
