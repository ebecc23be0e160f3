// Quantising: what rounding costs, and a whole checkpoint there and back through the engine.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fixtures.h"
#include "model/expected_tensors.h"
#include "model/quantise_checkpoint.h"
#include "session/session.h"
#include "support.h"
#include "weights/convert.h"
#include "weights/dequantise.h"
#include "weights/gguf_names.h"
#include "weights/quantise.h"
#include "weights/synthetic.h"
#include "weights/tensor_names.h"

namespace loupe::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Floats round_trip(DType dtype, const Floats& values) {
  std::vector<std::byte> blocks(stored_bytes(dtype, values.size()));
  quantise(dtype, values, blocks);
  Floats back(values.size());
  dequantise(dtype, blocks, back);
  return back;
}

double relative_error(const Floats& found, const Floats& wanted) {
  double difference = 0, whole = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - wanted[i], 2);
    whole += std::pow(static_cast<double>(wanted[i]), 2);
  }
  return std::sqrt(difference / whole);
}

/// Sums of twelve even numbers: close to a normal distribution.
Floats normal(size_t count, float deviation) {
  Random random(17);
  Floats values(count);
  for (float& value : values) {
    for (int i = 0; i < 12; ++i) value += random.unit();
    value = (value - 6) * deviation;
  }
  return values;
}

constexpr DType written_types[] = {DType::q8_0, DType::q4_k, DType::q6_k};

// A step of the largest of 32 over 127 levels, of 4.2 deviations over 15 levels, of 3.5 deviations over 63: a step over
// sqrt(12) is the error of even rounding. The search for scales earns a little on top.
TEST(Quantise, CostsWhatItsBitsSay) {
  const Floats values = normal(1 << 16, 0.02f);
  EXPECT_LT(relative_error(round_trip(DType::q8_0, values), values), 0.0060);
  EXPECT_LT(relative_error(round_trip(DType::q6_k, values), values), 0.0180);
  EXPECT_LT(relative_error(round_trip(DType::q4_k, values), values), 0.0740);
}

TEST(Quantise, EdgesStayFinite) {
  for (const DType dtype : written_types) {
    const std::string name(to_string(dtype));
    for (const float value : round_trip(dtype, Floats(256, 0.0f))) ASSERT_EQ(value, 0.0f) << name;
    // The scale of a Q6_K block is 2^-12 of its elements, and float16 has steps of 2^-24 near zero.
    for (const float constant : {1.0f, -1.0f, 1e-2f, -300.0f, 1e-30f, 60000.0f}) {
      const Floats back = round_trip(dtype, Floats(256, constant));
      for (const float value : back) ASSERT_NEAR(value, constant, std::fabs(constant) * 0.02f + 1e-6f) << name;
    }
    for (const float odd : {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-42f}) {
      Floats values = normal(256, 0.02f);
      values[77] = odd;
      for (const float value : round_trip(dtype, values)) ASSERT_TRUE(std::isfinite(value)) << name << " beside " << odd;
    }
    // One outlier spoils its own sub-block only.
    Floats values = normal(512, 0.02f);
    values[3] = 5;
    const Floats back = round_trip(dtype, values);
    EXPECT_NEAR(back[3], 5, 0.1f) << name;
    const Floats others(values.begin() + 256, values.end()), found(back.begin() + 256, back.end());
    EXPECT_LT(relative_error(found, others), 0.08) << name;
  }
}

TEST(Quantise, OtherTypesAreRefused) {
  std::vector<std::byte> blocks(1000);
  EXPECT_FALSE(can_quantise_to(DType::q5_k));
  EXPECT_THROW(quantise(DType::q5_k, Floats(256), blocks), Error);
}

// --- whole checkpoints -----------------------------------------------------------------------------

class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("loupe-quantise-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write_safetensors(const fs::path& path, const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors, const char* dtype,
                       const std::function<std::string(size_t)>& bytes_of) {
  json header;
  std::vector<std::string> data;
  uint64_t end = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    data.push_back(bytes_of(i));
    header[tensors[i].first] = {{"dtype", dtype}, {"shape", tensors[i].second}, {"data_offsets", {end, end + data.back().size()}}};
    end += data.back().size();
  }
  const std::string text = header.dump();
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < 8; ++i) file.put(static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i)));
  file << text;
  for (const std::string& bytes : data) file << bytes;
  ASSERT_TRUE(file.good());
}

/// Generated weights for a configuration.
void write_checkpoint(const fs::path& folder, const std::string& config) {
  std::ofstream(folder / "config.json") << config;
  const ModelConfig model = load_model_config(folder);
  std::vector<std::pair<std::string, std::vector<int64_t>>> tensors;
  for (const ExpectedTensor& tensor : expected_tensors(model))
    tensors.emplace_back(published_name(tensor.name, model.architecture == Architecture::llama), tensor.shape);
  write_safetensors(folder / "model.safetensors", tensors, "BF16", [&](size_t i) {
    const std::span<const std::array<int, 2>> ratios =
        model.vision ? std::span<const std::array<int, 2>>(model.vision->supported_aspect_ratios) : std::span<const std::array<int, 2>>();
    const SyntheticTensor values(tensors[i].first, tensors[i].second, 1, ratios, model.vision ? model.vision->max_num_tiles : 1);
    std::vector<uint16_t> bits(static_cast<size_t>(values.elements()));
    values.fill(0, bits);
    return std::string(reinterpret_cast<const char*>(bits.data()), bits.size() * 2);
  });
}

/// A vision model whose text widths hold whole K blocks.
void write_wide_checkpoint(const fs::path& folder) {
  write_checkpoint(folder, R"({"model_type": "mllama", "image_token_index": 320,
    "text_config": {"vocab_size": 320, "hidden_size": 256, "num_hidden_layers": 8, "num_attention_heads": 4,
                    "num_key_value_heads": 2, "intermediate_size": 512, "max_position_embeddings": 512,
                    "cross_attention_layers": [2, 5], "rope_theta": 500000.0, "eos_token_id": [257, 265], "bos_token_id": 256,
                    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                     "original_max_position_embeddings": 64}},
    "vision_config": {"hidden_size": 64, "num_hidden_layers": 2, "num_global_layers": 1, "attention_heads": 4,
                      "intermediate_size": 128, "image_size": 28, "patch_size": 14, "max_num_tiles": 4,
                      "intermediate_layers_indices": [0, 1]}})");
}

/// As Llama 3.2 1B and 3B: tied embeddings, long rotation; heads whose widths do not add up to the model's.
void write_text_checkpoint(const fs::path& folder) {
  write_checkpoint(folder,
                   R"({"model_type": "llama", "vocab_size": 320, "hidden_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "intermediate_size": 512, "max_position_embeddings": 512,
    "tie_word_embeddings": true, "rope_theta": 500000.0, "eos_token_id": [257, 265],
    "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 64}})");
}

/// The published checkpoint with the weights that the GGUF file holds, as float32 and in published order.
void write_dequantised(const fs::path& source, const fs::path& gguf, const fs::path& folder) {
  fs::create_directories(folder);
  for (const char* name : {"config.json", "preprocessor_config.json"}) {
    if (fs::exists(source / name)) fs::copy_file(source / name, folder / name);
  }
  const Checkpoint published = Checkpoint::open(source);
  const std::vector<fs::path> files = {gguf};
  const Checkpoint quantised = Checkpoint::open_gguf(files);
  std::vector<std::pair<std::string, std::vector<int64_t>>> tensors;
  for (const TensorView& tensor : published.tensors()) tensors.emplace_back(tensor.stored_name, tensor.shape);
  write_safetensors(folder / "model.safetensors", tensors, "F32", [&](size_t i) {
    const TensorView& wanted = published.tensors()[i];
    const TensorView& found = quantised.at(wanted.name);
    Floats values = read_floats(found.tanh_applied ? wanted : found);
    if (found.paired_head > 0) {
      const Floats stored = values;
      const auto cols = static_cast<size_t>(found.shape[1]);
      for (int64_t row = 0; row < found.shape[0]; ++row)
        std::copy_n(stored.begin() + found.stored_row(row) * found.shape[1], cols, values.begin() + row * found.shape[1]);
    }
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  });
}

TraceResult trace_of(const ModelSource& source, const Prompt& prompt) {
  std::atomic<bool> cancel{false};
  auto& e = engine();
  return Session(*e.device, *e.memory, *e.pipelines, load_model(source, *e.device, *e.memory, nullptr, nullptr), Activations::f32, 256,
                 cancel)
      .trace(prompt, 0);
}

Prompt prompt_with_picture(uint32_t tile_size) {
  Random random(3);
  PreparedImage image{"picture", std::vector<uint8_t>(2 * 3 * tile_size * tile_size), 2, 2};
  for (uint8_t& byte : image.tiles) byte = static_cast<uint8_t>(random.below(256));
  Prompt prompt;
  prompt.images.push_back(std::move(image));
  prompt.tokens = {256, 12, 320};
  for (int i = 0; i < 20; ++i) prompt.tokens.push_back(random.below(256));
  return prompt;
}

QuantiseRequest request_for(const fs::path& source, const fs::path& target, TextPrecision text, VisionPrecision vision) {
  QuantiseRequest request;
  request.source = source;
  request.target = target;
  request.text = text;
  request.vision = vision;
  request.threads = 2;
  request.entries = {{"tokenizer.ggml.model", std::string("gpt2")}, {"tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"}}};
  return request;
}

/// The file gives what its own weights give in float32, and the original's logits to within `cost`.
void expect_same_model(const fs::path& source, const Folder& folder, TextPrecision text, VisionPrecision vision, double cost) {
  const fs::path file = folder / "Llama-test.gguf";
  quantise_checkpoint(request_for(source, file, text, vision), nullptr, nullptr);
  write_dequantised(source, file, folder / "dequantised");
  const ModelConfig config = load_model_config(source);
  Prompt prompt = prompt_with_picture(config.vision ? static_cast<uint32_t>(config.vision->image_size) : 28);
  if (!config.vision) {
    prompt.images.clear();
    prompt.tokens[2] = 5;
  }
  const TraceResult found = trace_of(std::vector<fs::path>{file}, prompt), twin = trace_of(folder / "dequantised", prompt),
                    original = trace_of(source, prompt);
  EXPECT_LT(relative_error(found.logits, twin.logits), 2e-4);
  if (config.vision) {
    EXPECT_LT(relative_error(found.cross_attention_states, twin.cross_attention_states), 2e-4);
  }
  EXPECT_LT(relative_error(found.logits, original.logits), cost);
  EXPECT_GT(relative_error(found.logits, original.logits), 1e-4);  // it is the quantised one that was run
}

TEST(QuantiseCheckpoint, TinyToQ8) {
  const Folder folder;
  expect_same_model(reference() / "tiny", folder, TextPrecision::q8_0, VisionPrecision::f16, 2e-2);
}

TEST(QuantiseCheckpoint, VisionToQ8) {
  const Folder folder;
  expect_same_model(reference() / "tiny", folder, TextPrecision::q8_0, VisionPrecision::q8_0, 3e-2);
}

// Random weights know no structure that rounding could spare: 4.5 bits move the logits of a deep model a good deal.
TEST(QuantiseCheckpoint, WideToQ4KM) {
  const Folder folder;
  fs::create_directories(folder / "source");
  write_wide_checkpoint(folder / "source");
  expect_same_model(folder / "source", folder, TextPrecision::q4_k_m, VisionPrecision::f16, 0.3);
}

TEST(QuantiseCheckpoint, TextModelToQ4KM) {
  const Folder folder;
  fs::create_directories(folder / "source");
  write_text_checkpoint(folder / "source");
  expect_same_model(folder / "source", folder, TextPrecision::q4_k_m, VisionPrecision::f16, 0.3);
}

TEST(QuantiseCheckpoint, TypesAndErrorsByClass) {
  const Folder folder;
  fs::create_directories(folder / "source");
  write_wide_checkpoint(folder / "source");
  std::vector<std::pair<uint64_t, uint64_t>> progress;
  const QuantiseReport report =
      quantise_checkpoint(request_for(folder / "source", folder / "Llama-wide.gguf", TextPrecision::q4_k_m, VisionPrecision::f16), nullptr,
                          [&](uint64_t done, uint64_t total) { progress.emplace_back(done, total); });
  EXPECT_FALSE(report.resumed);
  EXPECT_EQ(report.bytes, fs::file_size(folder / "Llama-wide.gguf"));
  EXPECT_FALSE(fs::exists(folder / "Llama-wide.gguf.part"));
  ASSERT_FALSE(progress.empty());
  EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
  EXPECT_LE(progress.back().first, progress.back().second);

  const std::map<std::string, std::pair<std::string, double>> expected = {{"embedding", {"Q4_K", 0.08}},
                                                                          {"output", {"Q6_K", 0.02}},
                                                                          {"attention query, key, output", {"Q4_K", 0.08}},
                                                                          {"attention value", {"Q4_K, Q6_K", 0.08}},
                                                                          {"feed-forward down", {"Q4_K, Q6_K", 0.08}},
                                                                          {"feed-forward gate, up", {"Q4_K", 0.08}},
                                                                          {"vision attention", {"F16", 1e-3}},
                                                                          {"norms, gates and factors", {"F32", 1e-7}}};
  std::map<std::string, TensorClass> found;
  for (const TensorClass& one : report.classes) found[one.name] = one;
  for (const auto& [name, wanted] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_EQ(found[name].types, wanted.first) << name;
    EXPECT_LE(found[name].relative_error, wanted.second) << name;
  }
  const std::vector<fs::path> files = {folder / "Llama-wide.gguf"};
  const Checkpoint checkpoint = Checkpoint::open_gguf(files);
  EXPECT_EQ(checkpoint.at("text.layers.0.mlp.down_proj.weight").dtype, DType::q6_k);  // the first eighth
  EXPECT_EQ(checkpoint.at("text.layers.1.mlp.down_proj.weight").dtype, DType::q4_k);
  EXPECT_EQ(checkpoint.at("text.layers.7.self_attn.v_proj.weight").dtype, DType::q6_k);
  EXPECT_EQ(checkpoint.at("vision.patch_embedding.weight").dtype, DType::f16);
  EXPECT_EQ(checkpoint.metadata()->at("general.name").as_text(), "Llama-wide");
  EXPECT_EQ(checkpoint.metadata()->at("tokenizer.ggml.model").as_text(), "gpt2");
  const ModelConfig config = gguf_model_config(checkpoint), published = load_model_config(folder / "source");
  EXPECT_EQ(config.text.eos_tokens, published.text.eos_tokens);
  EXPECT_EQ(config.text.rope_scaling.factors, rope_factors(published.text));
  EXPECT_EQ(config.vision->image_std, published.vision->image_std);
  EXPECT_EQ(config.image_token_index, published.image_token_index);
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(QuantiseCheckpoint, GoesOnAfterACancel) {
  const Folder folder;
  const fs::path source = folder / "source";
  fs::create_directories(source);
  write_wide_checkpoint(source);
  QuantiseRequest request = request_for(source, folder / "Llama-whole.gguf", TextPrecision::q4_k_m, VisionPrecision::f16);
  request.sync_bytes = 1 << 16;
  quantise_checkpoint(request, nullptr, nullptr);
  const std::string whole = contents(request.target);
  fs::rename(request.target, folder / "kept");

  std::atomic<bool> cancel{false};
  try {
    quantise_checkpoint(request, &cancel, [&](uint64_t done, uint64_t total) { cancel = done > total / 2; });
    FAIL() << "was not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_FALSE(fs::exists(request.target));
  const fs::path part = folder / "Llama-whole.gguf.part";
  ASSERT_TRUE(fs::exists(part));
  const std::string half = contents(part);
  // The end of the part is lost with the power: zeros where data should be.
  std::ofstream(part, std::ios::binary) << half.substr(0, half.size() - 1000) << std::string(1000, '\0');
  EXPECT_TRUE(quantise_checkpoint(request, nullptr, nullptr).resumed);
  EXPECT_TRUE(contents(request.target) == whole);
  fs::remove(request.target);

  // A part that another request made is not resumed.
  std::ofstream(part, std::ios::binary) << half;
  QuantiseRequest other = request;
  other.text = TextPrecision::q8_0;
  EXPECT_FALSE(quantise_checkpoint(other, nullptr, nullptr).resumed);
  std::ofstream(part, std::ios::binary) << half;
  fs::last_write_time(source / "model.safetensors", fs::last_write_time(source / "model.safetensors") + std::chrono::seconds(5));
  EXPECT_FALSE(quantise_checkpoint(request, nullptr, nullptr).resumed);
}

TEST(QuantiseCheckpoint, NamesBeginWithLlama) {
  const Folder folder;
  for (const char* name : {"model.gguf", "llama.gguf", "Llama.bin"}) {
    try {
      quantise_checkpoint(request_for(reference() / "tiny", folder / name, TextPrecision::q8_0, VisionPrecision::f16), nullptr, nullptr);
      ADD_FAILURE() << name << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::file_unwritable);
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos);
    }
  }
  EXPECT_THROW(
      quantise_checkpoint(request_for(reference() / "tiny", folder / "none" / "Llama.gguf", TextPrecision::q8_0, VisionPrecision::f16),
                          nullptr, nullptr),
      Error);
}

#ifdef __linux__
uint64_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

// A table of 268 MB is read and rounded; neither it nor what becomes of it is ever in memory at once.
TEST(QuantiseCheckpoint, MemoryIsBounded) {
  const Folder folder;
  fs::create_directories(folder / "source");
  std::ofstream(folder / "source/config.json")
      << R"({"model_type": "llama", "vocab_size": 131072, "hidden_size": 1024, "num_hidden_layers": 1, "num_attention_heads": 8,
    "num_key_value_heads": 8, "intermediate_size": 1024, "max_position_embeddings": 64, "tie_word_embeddings": true})";
  const ModelConfig config = load_model_config(folder / "source");
  json header;
  uint64_t end = 0;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    uint64_t bytes = 2;
    for (const int64_t size : tensor.shape) bytes *= static_cast<uint64_t>(size);
    header[published_name(tensor.name, true)] = {{"dtype", "BF16"}, {"shape", tensor.shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  const std::string text = header.dump();
  {
    std::ofstream file(folder / "source/model.safetensors", std::ios::binary);
    for (int i = 0; i < 8; ++i) file.put(static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i)));
    file << text;
  }
  fs::resize_file(folder / "source/model.safetensors", 8 + text.size() + end);  // zeros that take no room on the disk
  ASSERT_GT(end, uint64_t{268} << 20);
  const uint64_t before = resident_bytes();
  uint64_t peak = 0;
  quantise_checkpoint(request_for(folder / "source", folder / "Llama-zeros.gguf", TextPrecision::q4_k_m, VisionPrecision::f16), nullptr,
                      [&](uint64_t, uint64_t) { peak = std::max(peak, resident_bytes()); });
  ASSERT_GT(before, 0u);
  EXPECT_LT(peak, before + (uint64_t{96} << 20)) << "before " << before;
}
#endif

}  // namespace
}  // namespace loupe::test
