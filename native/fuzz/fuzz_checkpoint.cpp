// Deterministic mutation of checkpoints: whatever a header or configuration says, the readers
// succeed or throw loupe::Error. Anything else - another exception, a read outside the file
// (AddressSanitizer), undefined arithmetic (UBSan), tensors that overlap - fails.
//
//   fuzz_checkpoint [ITERATIONS = 200000] [SEED = 1]
//
// Each iteration depends on SEED and its own number only, so a failure is repeated by
// `fuzz_checkpoint 1 SEED NUMBER`, the third argument being the iteration to begin with.
// The reference checkpoint is found as the tests find it (LOUPE_FIXTURES, LOUPE_FIXTURES_DIR).

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/expected_tensors.h"
#include "random.h"
#include "run.h"
#include "weights/folder.h"
#include "weights/mapped_file.h"
#include "weights/safetensors.h"
#include "weights/tensor_names.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using loupe::fuzz::Random;

// --- mutations of text ---------------------------------------------------------------------

struct Token {
  std::size_t begin;
  std::size_t length;
};

std::vector<Token> find_numbers(std::string_view text) {
  std::vector<Token> found;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.')) ++end;
    if (end > i) found.push_back({i, end - i});
    i = end + 1;
  }
  return found;
}

/// Strings between quotes, without them.
std::vector<Token> find_strings(std::string_view text) {
  std::vector<Token> found;
  for (std::size_t open = text.find('"'); open != std::string_view::npos;) {
    const std::size_t close = text.find('"', open + 1);
    if (close == std::string_view::npos) break;
    found.push_back({open + 1, close - open - 1});
    open = text.find('"', close + 1);
  }
  return found;
}

constexpr std::array<const char*, 28> odd_numbers = {"0",
                                                     "1",
                                                     "-1",
                                                     "2",
                                                     "7",
                                                     "8",
                                                     "15",
                                                     "16",
                                                     "255",
                                                     "65535",
                                                     "65536",
                                                     "65537",
                                                     "2147483647",
                                                     "2147483648",
                                                     "4294967295",
                                                     "4294967296",
                                                     "1073741824",
                                                     "9223372036854775807",
                                                     "9223372036854775808",
                                                     "18446744073709551615",
                                                     "18446744073709551616",
                                                     "1e308",
                                                     "1e999",
                                                     "-0",
                                                     "0.5",
                                                     "null",
                                                     "\"8\"",
                                                     "[]"};

constexpr std::array<const char*, 32> odd_strings = {"F32",
                                                     "F16",
                                                     "BF16",
                                                     "F4",
                                                     "F64",
                                                     "U8",
                                                     "BOOL",
                                                     "C64",
                                                     "dtype",
                                                     "shape",
                                                     "data_offsets",
                                                     "__metadata__",
                                                     "weight_map",
                                                     "llama",
                                                     "mllama",
                                                     "default",
                                                     "llama3",
                                                     "../model.safetensors",
                                                     "./model.safetensors",
                                                     "a/b.safetensors",
                                                     "a/../b",
                                                     "module.",
                                                     "quantization",
                                                     "bits",
                                                     "model-00001-of-00002.safetensors",
                                                     "model-00001-of-99999.safetensors",
                                                     "",
                                                     "\\u0000",
                                                     "\xff",
                                                     "lm_head.weight",
                                                     "model.norm.weight",
                                                     "a.absmax"};

constexpr std::array<const char*, 15> odd_pieces = {
    "{",       "}",           "[", "]", ",", ":", "\"", "{}", "[[[[[[[[[[[[[[[[[[[[", "null", "NaN", "-Infinity", "\xef\xbb\xbf",
    "\\ud800", "\xed\xa0\x80"};

void flip_bytes(std::string& text, Random& random) {
  for (std::size_t n = 1 + random.below(4); n > 0 && !text.empty(); --n)
    text[random.below(text.size())] ^= static_cast<char>(1 + random.below(255));
}

void replace_token(std::string& text, const std::vector<Token>& tokens, std::string_view with, Random& random) {
  if (tokens.empty()) return;
  const Token& token = random.pick(tokens);
  text.replace(token.begin, token.length, with);
}

void edit_number(std::string& text, Random& random) {
  const std::vector<Token> numbers = find_numbers(text);
  if (numbers.empty()) return;
  if (random.one_in(2)) return replace_token(text, numbers, random.pick(odd_numbers), random);
  // A near miss is more telling than a wild value: off by a little, or by a factor of two.
  const Token& token = random.pick(numbers);
  const std::uint64_t value = std::strtoull(text.substr(token.begin, token.length).c_str(), nullptr, 10);
  const std::uint64_t near[] = {value + 1, value - 1, value * 2, value / 2, value + 8, value + random.below(4096)};
  text.replace(token.begin, token.length, std::to_string(random.pick(near)));
}

void swap_strings(std::string& text, Random& random) {
  const std::vector<Token> strings = find_strings(text);
  if (strings.empty()) return;
  const Token& target = random.pick(strings);
  const Token& source = random.pick(strings);
  const std::string copy = text.substr(source.begin, source.length);
  text.replace(target.begin, target.length, copy);
}

/// Moves one tensor without changing its size, which contradicts nothing but the file and its neighbours.
void move_tensor(std::string& text, Random& random) {
  constexpr std::string_view key = "\"data_offsets\":[";
  std::vector<std::size_t> places;
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) places.push_back(at + key.size());
  if (places.empty()) return;
  const std::size_t place = random.pick(places);
  char* after = nullptr;
  const std::uint64_t begin = std::strtoull(text.c_str() + place, &after, 10);
  if (*after != ',') return;
  const std::uint64_t end = std::strtoull(after + 1, &after, 10);
  const std::uint64_t by[] = {1, 2, std::uint64_t(-1), std::uint64_t(-2), end - begin, begin - end, random.below(1 << 20), random.bits()};
  const std::uint64_t distance = random.pick(by);
  const std::size_t length = static_cast<std::size_t>(after - text.c_str()) - place;
  text.replace(place, length, std::to_string(begin + distance) + "," + std::to_string(end + distance));
}

/// Copies a stretch of the text to another place: duplicate keys, nested objects, torn arrays.
void splice(std::string& text, Random& random) {
  if (text.empty()) return;
  const std::size_t begin = random.below(text.size());
  const std::string piece = text.substr(begin, 1 + random.below(std::min<std::size_t>(256, text.size() - begin)));
  text.insert(random.below(text.size() + 1), piece);
}

void cut_out(std::string& text, Random& random) {
  if (text.empty()) return;
  const std::size_t begin = random.below(text.size());
  text.erase(begin, 1 + random.below(random.one_in(4) ? text.size() - begin : std::min<std::size_t>(64, text.size() - begin)));
}

void mutate(std::string& text, Random& random) {
  for (std::size_t n = 1 + random.below(3); n > 0; --n) {
    switch (random.below(12)) {
      case 0: flip_bytes(text, random); break;
      case 1: cut_out(text, random); break;
      case 2: text.resize(random.below(text.size() + 1)); break;
      case 3: splice(text, random); break;
      case 4: text.insert(random.below(text.size() + 1), random.pick(odd_pieces)); break;
      case 5: replace_token(text, find_strings(text), random.pick(odd_strings), random); break;
      case 6: swap_strings(text, random); break;
      case 7:
      case 8: move_tensor(text, random); break;
      default: edit_number(text, random); break;
    }
  }
}

// --- seeds ---------------------------------------------------------------------------------

fs::path reference() {
  if (const char* folder = std::getenv("LOUPE_FIXTURES")) return fs::path(folder) / "reference";
#ifdef LOUPE_FIXTURES_DIR
  return fs::path(LOUPE_FIXTURES_DIR) / "reference";
#else
  return fs::path("../fixtures/reference");
#endif
}

std::string text_of(const loupe::MappedFile& file, std::size_t offset = 0, std::size_t length = std::string::npos) {
  const std::string_view all(reinterpret_cast<const char*>(file.bytes().data()), file.size());
  return std::string(all.substr(offset, length));
}

/// A configuration, the header of a checkpoint for it, and the number of data bytes.
struct Seed {
  std::string config;
  std::string header;
  std::size_t data_bytes;
};

Seed reference_seed(const fs::path& folder) {
  const loupe::MappedFile weights(folder / "model.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, weights.bytes().data(), sizeof length);
  return {text_of(loupe::MappedFile(folder / "config.json")), text_of(weights, 8, length), weights.size() - 8 - length};
}

/// The header that a configuration asks for, tensors end to end.
Seed seed_of(const json& config) {
  const std::string text = config.dump();
  const loupe::ModelConfig model = loupe::parse_model_config({text, std::nullopt, std::nullopt});
  json header = {{"__metadata__", {{"format", "pt"}}}};
  std::size_t end = 0;
  for (const loupe::ExpectedTensor& tensor : loupe::expected_tensors(model)) {
    std::size_t bytes = 2;
    for (const std::int64_t dimension : tensor.shape) bytes *= static_cast<std::size_t>(dimension);
    header[loupe::published_name(tensor.name, model.architecture == loupe::Architecture::llama)] = {
        {"dtype", "BF16"}, {"shape", tensor.shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  return {text, header.dump(), end};
}

/// The same with something before every name.
Seed wrapped(const Seed& seed, const std::string& wrapper) {
  json header = json::parse(seed.header), renamed;
  for (const auto& [name, entry] : header.items()) renamed[name == "__metadata__" ? name : wrapper + name] = entry;
  return {seed.config, renamed.dump(), seed.data_bytes};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  return lines;
}

/// As the reference, but one layer of each kind: headers short enough to be mutated often.
json small_vision_config(const std::string& reference_config) {
  json config = json::parse(reference_config);
  config["text_config"].update({{"num_hidden_layers", 2}, {"cross_attention_layers", {1}}});
  config["vision_config"].update(
      {{"num_hidden_layers", 1}, {"num_global_layers", 1}, {"intermediate_layers_indices", {0}}, {"vision_output_dim", 320}});
  return config;
}

json small_text_config() {
  return {{"model_type", "llama"},
          {"vocab_size", 64},
          {"hidden_size", 64},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 16},
          {"intermediate_size", 128},
          {"max_position_embeddings", 512},
          {"tie_word_embeddings", true},
          {"eos_token_id", {1, 2}},
          {"rope_parameters",
           {{"rope_type", "llama3"},
            {"rope_theta", 1e4},
            {"factor", 8},
            {"low_freq_factor", 1},
            {"high_freq_factor", 4},
            {"original_max_position_embeddings", 64}}}};
}

// --- one iteration -------------------------------------------------------------------------

/// A safetensors file in memory of exactly its size, so that AddressSanitizer sees the first byte too many.
/// The data are shared between iterations: the header is placed directly before them.
class FileBuffer {
 public:
  explicit FileBuffer(std::size_t data_bytes) : data_bytes_(data_bytes), bytes_(std::make_unique<std::byte[]>(header_room + data_bytes)) {}

  /// The file whose prefix announces `announced` bytes of header.
  std::span<const std::byte> file(const std::string& header, std::uint64_t announced) {
    const std::size_t used = 8 + std::min(header.size(), header_room - 8);
    std::byte* begin = bytes_.get() + header_room - used;
    for (int i = 0; i < 8; ++i) begin[i] = static_cast<std::byte>(announced >> (8 * i));
    std::memcpy(begin + 8, header.data(), used - 8);
    return {begin, used + data_bytes_};
  }

 private:
  static constexpr std::size_t header_room = std::size_t{256} << 10;
  std::size_t data_bytes_;
  std::unique_ptr<std::byte[]> bytes_;
};

/// Reads both ends of every tensor: a view beyond the file is found by AddressSanitizer.
std::uint64_t touch(const loupe::Checkpoint& checkpoint) {
  std::uint64_t sum = checkpoint.total_bytes();
  for (const loupe::TensorView& tensor : checkpoint.tensors()) {
    sum += static_cast<std::uint64_t>(tensor.elements());
    if (!tensor.bytes.empty())
      sum += std::to_integer<std::uint64_t>(tensor.bytes.front()) + std::to_integer<std::uint64_t>(tensor.bytes.back());
  }
  return sum;
}

/// Tensors must lie behind the prefix, within the file, and apart from one another.
void require_inside(const loupe::Checkpoint& checkpoint, std::span<const std::byte> file) {
  std::vector<std::pair<const std::byte*, const std::byte*>> ranges;
  for (const loupe::TensorView& tensor : checkpoint.tensors()) {
    const std::byte* begin = tensor.bytes.data();
    if (begin < file.data() + 8 || begin > file.data() + file.size() ||
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
    const fs::path tiny = reference() / "tiny";
    seeds_.push_back(reference_seed(tiny));
    seeds_.push_back(seed_of(small_vision_config(seeds_[0].config)));
    seeds_.push_back(seed_of(small_text_config()));
    seeds_.push_back(wrapped(seeds_[2], "base_model.model._orig_mod."));
    for (const Seed& seed : seeds_) {
      buffers_.emplace_back(seed.data_bytes);
      intact_.emplace_back(seed.data_bytes);
      checkpoints_.push_back(loupe::Checkpoint::from_bytes(intact_.back().file(seed.header, seed.header.size()), "fuzz"));
      models_.push_back(loupe::parse_model_config({seed.config, std::nullopt, std::nullopt}));
    }
    preprocessor_ = text_of(loupe::MappedFile(tiny / "preprocessor_config.json"));
    generation_ = R"({"bos_token_id": 1, "eos_token_id": [1, 2], "temperature": 0.6})";
    index_ = R"({"metadata":{"total_size":12},"weight_map":{"lm_head.weight":"model-00001-of-00002.safetensors",)"
             R"("model.norm.weight":"model-00002-of-00002.safetensors","model.embed_tokens.weight":"model-00002-of-00002.safetensors"}})";
    folder_ =
        "config.json\nmodel-00001-of-00003.safetensors\nmodel-00002-of-00003.safetensors\nmodel-00003-of-00003.safetensors\n\"adapter_"
        "config.json\"\noptimizer.safetensors";
    check_seeds();
  }

  /// True when everything was accepted.
  bool iterate(Random& random) {
    // The large header costs many times a small one.
    const std::size_t which = random.one_in(50) ? 0 : random.one_in(4) ? 1 : 2 + random.below(2);
    const Seed& seed = seeds_[which];
    try {
      switch (random.below(9)) {
        case 8: {
          // Names of a folder, one a line.
          std::string listing = folder_;
          mutate(listing, random);
          const std::vector<std::string> names = lines_of(listing);
          sink_ = sink_ + loupe::has_whole_parts(names);
          for (const std::string& name : loupe::weight_files(names, "fuzz"))
            if (std::find(names.begin(), names.end(), name) == names.end()) throw std::logic_error("a file was made up");
          return true;
        }
        case 0: {
          std::string index = index_;
          mutate(index, random);
          for (const auto& [file, tensors] : loupe::parse_shard_index(index, "index").tensors_of) {
            const fs::path inside = fs::path("folder") / fs::path(std::u8string(file.begin(), file.end()));
            if (inside.lexically_normal() != inside || *inside.begin() != "folder") throw std::logic_error("a shard may leave the folder");
          }
          return true;
        }
        case 1: {
          std::string generation = generation_;
          std::string preprocessor = preprocessor_;
          mutate(random.one_in(2) ? generation : preprocessor, random);
          loupe::parse_model_config({seeds_[0].config, generation, preprocessor});
          return true;
        }
        case 2:
        case 3:
        case 4: {
          std::string config = seed.config;
          mutate(config, random);
          validate(loupe::parse_model_config({config, std::nullopt, std::nullopt}), checkpoints_[which]);
          return true;
        }
        default: {
          std::string header = seed.header;
          mutate(header, random);
          const std::uint64_t announced = random.one_in(16) ? random.bits() >> random.below(64) : header.size();
          std::span<const std::byte> file = buffers_[which].file(header, announced);
          if (random.one_in(16)) file = file.first(file.size() - random.below(16));
          // A copy of the exact size finds what reads past a truncated end.
          std::vector<std::byte> truncated;
          if (random.one_in(16)) {
            truncated.assign(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(random.below(header.size() + 64)));
            file = truncated;
          }
          const loupe::Checkpoint checkpoint = loupe::Checkpoint::from_bytes(file, "fuzz");
          require_inside(checkpoint, file);
          validate(models_[which], checkpoint);
          return true;
        }
      }
    } catch (const loupe::Error& error) {
      ++refusals_[to_string(error.code())];
      return false;
    }
  }

  const std::map<std::string, std::size_t>& refusals() const { return refusals_; }

 private:
  /// Unmutated seeds must pass; a fuzzer that begins with broken seeds finds nothing.
  void check_seeds() {
    for (std::size_t i = 0; i < seeds_.size(); ++i) validate(models_[i], checkpoints_[i]);
    loupe::parse_model_config({seeds_[0].config, generation_, preprocessor_});
    loupe::parse_shard_index(index_, "index");
  }

  void validate(const loupe::ModelConfig& config, const loupe::Checkpoint& checkpoint) {
    sink_ = sink_ + touch(checkpoint);
    if (loupe::parameter_count(config) <= 0) throw std::logic_error("a configuration without parameters was accepted");
    loupe::check_tensors(config, checkpoint);
    // Accepted weights must cover what the model code will read.
    for (const loupe::ExpectedTensor& tensor : loupe::expected_tensors(config)) {
      const loupe::TensorView& view = checkpoint.at(tensor.name);
      const std::uint64_t bytes = loupe::stored_bytes(view.dtype, static_cast<std::uint64_t>(view.elements()));
      if (view.bytes.size() != bytes) throw std::logic_error("accepted a tensor whose bytes contradict its shape");
    }
  }

  std::vector<Seed> seeds_;
  std::vector<FileBuffer> buffers_;             // for mutated headers
  std::vector<FileBuffer> intact_;              // what the checkpoints below borrow from
  std::vector<loupe::Checkpoint> checkpoints_;  // of the unmutated headers
  std::vector<loupe::ModelConfig> models_;      // of the unmutated configurations
  std::string preprocessor_;
  std::string generation_;
  std::string index_;
  std::string folder_;
  std::map<std::string, std::size_t> refusals_;
  volatile std::uint64_t sink_ = 0;
};

}  // namespace

/// A small quarantine is enough: nothing here lives longer than its iteration.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=16"; }

int main(int argc, char** argv) { return loupe::fuzz::run<Fuzzer>(argc, argv); }
