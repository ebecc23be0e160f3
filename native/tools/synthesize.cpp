// Writes a checkpoint of true shape with synthetic weights (weights/synthetic.h), for reference
// values and benchmarks, or checks CRC-32 values of such weights without writing anything.
//
//   synthesize --config config.json --out DIR [--quant Q4_K_M|Q8_0] [--seed 1] [--shards-of BYTES] [--threads N]
//              [--check crc.json]
//   synthesize --config config.json --check crc.json [--seed 1] [--threads N]
//
// --quant adds DIR/Llama-synthetic-Q4_K_M.gguf, made of the checkpoint beside it as an import makes it.
//
// Tensors are made in pieces of 32 MiB, so memory stays bounded at any model size.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/expected_tensors.h"
#include "model/quantise_checkpoint.h"
#include "weights/describe.h"
#include "weights/mapped_file.h"
#include "weights/strict_json.h"
#include "weights/synthetic.h"
#include "weights/tensor_names.h"

namespace {

namespace fs = std::filesystem;
using loupe::Error;
using loupe::ErrorCode;
using nlohmann::json;

constexpr std::size_t piece_elements = std::size_t{16} << 20;

struct Options {
  fs::path config;
  std::optional<fs::path> out;
  std::optional<fs::path> check;
  std::optional<loupe::TextPrecision> quant;
  std::uint64_t seed = 1;
  std::uint64_t shard_bytes = 0;  // 0 = one file
  unsigned threads = 1;
};

constexpr const char* usage =
    "usage: synthesize --config config.json [--out DIR [--quant Q4_K_M|Q8_0]] [--check crc.json] [--seed N] [--shards-of BYTES] "
    "[--threads N]\n";

std::optional<std::uint64_t> parse_count(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos || text.size() > 18) return std::nullopt;
  return std::stoull(std::string(text));
}

std::optional<Options> parse_options(std::span<char*> arguments) {
  Options options;
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    if (i + 1 >= arguments.size()) return std::nullopt;
    const std::string_view key = arguments[i];
    const std::string_view value = arguments[i + 1];
    const std::optional<std::uint64_t> count = parse_count(value);
    if (key == "--config")
      options.config = value;
    else if (key == "--out")
      options.out = value;
    else if (key == "--check")
      options.check = value;
    else if (key == "--quant" && value == "Q4_K_M")
      options.quant = loupe::TextPrecision::q4_k_m;
    else if (key == "--quant" && value == "Q8_0")
      options.quant = loupe::TextPrecision::q8_0;
    else if (key == "--seed" && count)
      options.seed = *count;
    else if (key == "--shards-of" && count)
      options.shard_bytes = *count;
    else if (key == "--threads" && count && *count >= 1 && *count <= 1024)
      options.threads = static_cast<unsigned>(*count);
    else
      return std::nullopt;
  }
  if (options.config.empty() || (!options.out && (!options.check || options.quant))) return std::nullopt;
  return options;
}

std::string_view as_text(const loupe::MappedFile& file) { return {reinterpret_cast<const char*>(file.bytes().data()), file.size()}; }

// --- CRC-32 (IEEE 802.3, reflected), as zlib computes it -----------------------------------

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t remainder = i;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1) ? 0xEDB88320u : 0u);
    table[i] = remainder;
  }
  return table;
}();

class Crc32 {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte b : bytes) state_ = (state_ >> 8) ^ crc_table[(state_ ^ std::to_integer<std::uint32_t>(b)) & 0xFF];
  }
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

// --- one tensor ----------------------------------------------------------------------------

struct Planned {
  std::string name;  ///< published
  std::vector<std::int64_t> shape;
  loupe::SyntheticTensor values;
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(values.elements()) * sizeof(std::uint16_t); }
};

/// By published name, which is the order in the files.
std::vector<Planned> plan_tensors(const loupe::ModelConfig& config, std::uint64_t seed) {
  const bool text_only = config.architecture == loupe::Architecture::llama;
  std::vector<Planned> planned;
  for (const loupe::ExpectedTensor& tensor : loupe::expected_tensors(config)) {
    const std::string name = loupe::published_name(tensor.name, text_only);
    const std::span<const std::array<int, 2>> ratios =
        config.vision ? std::span(config.vision->supported_aspect_ratios) : std::span<const std::array<int, 2>>();
    const int tiles = config.vision ? config.vision->max_num_tiles : 1;
    planned.push_back({name, tensor.shape, loupe::SyntheticTensor(name, tensor.shape, seed, ratios, tiles)});
  }
  std::sort(planned.begin(), planned.end(), [](const Planned& a, const Planned& b) { return a.name < b.name; });
  return planned;
}

/// Fills `piece` with elements from `first` on, shared evenly among threads.
void fill_piece(const loupe::SyntheticTensor& values, std::int64_t first, std::span<std::uint16_t> piece, unsigned threads) {
  constexpr std::size_t worthwhile = 1 << 16;
  const std::size_t parts = std::clamp<std::size_t>(piece.size() / worthwhile, 1, threads);
  const std::size_t each = (piece.size() + parts - 1) / parts;
  std::vector<std::jthread> workers;
  for (std::size_t begin = each; begin < piece.size(); begin += each) {
    const std::span<std::uint16_t> part = piece.subspan(begin, std::min(each, piece.size() - begin));
    workers.emplace_back([&values, first, begin, part] { values.fill(first + static_cast<std::int64_t>(begin), part); });
  }
  values.fill(first, piece.first(std::min(each, piece.size())));
}

/// Calls `use` with the tensor's bytes, piece after piece.
template <typename Use>
void for_each_piece(const loupe::SyntheticTensor& values, unsigned threads, std::vector<std::uint16_t>& buffer, Use use) {
  for (std::int64_t first = 0; first < values.elements(); first += static_cast<std::int64_t>(piece_elements)) {
    buffer.resize(static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(piece_elements), values.elements() - first)));
    fill_piece(values, first, buffer, threads);
    use(std::as_bytes(std::span<const std::uint16_t>(buffer)));
  }
}

// --- files ---------------------------------------------------------------------------------

[[noreturn]] void fail_to_write(const fs::path& path) {
  throw Error(ErrorCode::file_missing, "Cannot write " + loupe::path_text(path) + ".", "Check free space and permissions.");
}

std::string safetensors_header(std::span<const Planned> tensors) {
  json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const Planned& tensor : tensors) {
    header[tensor.name] = {{"dtype", "BF16"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors begin at a multiple of 8
  return text;
}

using Checksums = std::map<std::string, std::uint32_t>;

void write_shard(const fs::path& path, std::span<const Planned> tensors, unsigned threads, Checksums& checksums) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const std::string header = safetensors_header(tensors);
  for (int byte = 0; byte < 8; ++byte) file.put(static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * byte)));
  file << header;
  std::vector<std::uint16_t> buffer;
  for (const Planned& tensor : tensors) {
    const auto wanted = checksums.find(tensor.name);
    Crc32 crc;
    for_each_piece(tensor.values, threads, buffer, [&](std::span<const std::byte> bytes) {
      if (wanted != checksums.end()) crc.add(bytes);
      file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      if (!file) fail_to_write(path);
    });
    if (wanted != checksums.end()) wanted->second = crc.value();
  }
  file.close();
  if (!file) fail_to_write(path);
}

/// Consecutive tensors while they fit `limit`; a tensor larger than it gets a shard of its own.
std::vector<std::span<const Planned>> split_into_shards(std::span<const Planned> tensors, std::uint64_t limit) {
  if (limit == 0) return {tensors};
  std::vector<std::span<const Planned>> shards;
  std::size_t begin = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i > begin && bytes + tensors[i].bytes() > limit) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += tensors[i].bytes();
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

std::string shard_name(std::size_t index, std::size_t count) {
  if (count == 1) return "model.safetensors";
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name.data();
}

void write_checkpoint(const Options& options, std::span<const Planned> tensors, Checksums& checksums) {
  fs::create_directories(*options.out);
  const std::vector<std::span<const Planned>> shards = split_into_shards(tensors, options.shard_bytes);
  json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", json::object()}};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    write_shard(*options.out / name, shards[i], options.threads, checksums);
    for (const Planned& tensor : shards[i]) {
      index["weight_map"][tensor.name] = name;
      total += tensor.bytes();
    }
    std::printf("%s: %zu tensors, %.2f GB so far\n", name.c_str(), shards[i].size(), static_cast<double>(total) * 1e-9);
    std::fflush(stdout);
  }
  if (shards.size() > 1) {
    index["metadata"]["total_size"] = total;
    const fs::path path = *options.out / "model.safetensors.index.json";
    std::ofstream file(path, std::ios::trunc);
    file << index.dump(2) << '\n';
    file.close();
    if (!file) fail_to_write(path);
  }
  for (const char* name : {"config.json", "generation_config.json", "preprocessor_config.json"}) {
    const fs::path source = std::string_view(name) == "config.json" ? options.config : options.config.parent_path() / name;
    const fs::path target = *options.out / name;
    if (!fs::exists(source) || (fs::exists(target) && fs::equivalent(source, target))) continue;
    fs::copy_file(source, target, fs::copy_options::overwrite_existing);
  }
}

void quantise(const fs::path& folder, loupe::TextPrecision precision, unsigned threads) {
  const char* name = precision == loupe::TextPrecision::q8_0 ? "Llama-synthetic-Q8_0.gguf" : "Llama-synthetic-Q4_K_M.gguf";
  const loupe::QuantiseRequest request{.source = folder, .target = folder / name, .text = precision, .entries = {}, .threads = threads};
  const loupe::QuantiseReport report = loupe::quantise_checkpoint(request, nullptr, nullptr);
  std::printf("%s: %.2f GB\n", name, static_cast<double>(report.bytes) * 1e-9);
}

// --- checking ------------------------------------------------------------------------------

Checksums read_checksums(const fs::path& path) {
  const loupe::MappedFile file(path);
  const json root = loupe::parse_json_object(as_text(file), file.path(), ErrorCode::checkpoint_config, {.max_bytes = 16 << 20});
  Checksums checksums;
  for (const auto& [name, crc] : root.items()) checksums.emplace(name, crc.get<std::uint32_t>());
  return checksums;
}

/// Fills in the values of listed tensors without writing anything.
void compute_checksums(std::span<const Planned> tensors, unsigned threads, Checksums& checksums) {
  std::vector<std::uint16_t> buffer;
  for (const Planned& tensor : tensors) {
    const auto wanted = checksums.find(tensor.name);
    if (wanted == checksums.end()) continue;
    Crc32 crc;
    for_each_piece(tensor.values, threads, buffer, [&](std::span<const std::byte> bytes) { crc.add(bytes); });
    wanted->second = crc.value();
  }
}

/// Number of listed tensors that differ or that the configuration does not have.
std::size_t report_differences(std::span<const Planned> tensors, const Checksums& expected, const Checksums& found) {
  std::size_t differences = 0;
  for (const auto& [name, crc] : expected) {
    const bool is_planned = std::any_of(tensors.begin(), tensors.end(), [&](const Planned& tensor) { return tensor.name == name; });
    if (is_planned && found.at(name) == crc) continue;
    ++differences;
    if (is_planned)
      std::printf("%s: expected %08x, computed %08x\n", name.c_str(), crc, found.at(name));
    else
      std::printf("%s: config.json has no such tensor\n", name.c_str());
  }
  std::printf("%zu of %zu checksums agree\n", expected.size() - differences, expected.size());
  return differences;
}

int run(const Options& options) {
  const loupe::MappedFile config_file(options.config);
  const loupe::ModelConfig config = loupe::parse_model_config({as_text(config_file), std::nullopt, std::nullopt});
  const std::vector<Planned> tensors = plan_tensors(config, options.seed);
  const Checksums expected = options.check ? read_checksums(*options.check) : Checksums{};
  Checksums found = expected;  // the same keys; every value of a planned tensor is replaced below
  if (options.out)
    write_checkpoint(options, tensors, found);
  else
    compute_checksums(tensors, options.threads, found);
  if (options.quant) quantise(*options.out, *options.quant, options.threads);
  if (!options.check) return EXIT_SUCCESS;
  return report_differences(tensors, expected, found) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parse_options(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!options) {
    std::fputs(usage, stderr);
    return 2;
  }
  try {
    return run(*options);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s %s\n", error.what(), error.next_step().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return EXIT_FAILURE;
}
