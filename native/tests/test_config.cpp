// config.json and its companions: what is read, what is refused, and with which message.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fixtures.h"
#include "model/expected_tensors.h"
#include "weights/safetensors.h"
#include "weights/tensor_names.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using test::reference;

json tiny() {
  std::ifstream file(reference() / "tiny" / "config.json");
  return json::parse(file);
}

/// Llama 3.2 1B as published: tied embeddings, explicit head width.
json llama_1b() {
  return {{"model_type", "llama"},
          {"vocab_size", 128256},
          {"hidden_size", 2048},
          {"num_hidden_layers", 16},
          {"num_attention_heads", 32},
          {"num_key_value_heads", 8},
          {"head_dim", 64},
          {"intermediate_size", 8192},
          {"rope_theta", 500000.0},
          {"rope_scaling",
           {{"rope_type", "llama3"},
            {"factor", 32.0},
            {"low_freq_factor", 1.0},
            {"high_freq_factor", 4.0},
            {"original_max_position_embeddings", 8192}}},
          {"rms_norm_eps", 1e-5},
          {"max_position_embeddings", 131072},
          {"bos_token_id", 128000},
          {"eos_token_id", {128001, 128008, 128009}},
          {"tie_word_embeddings", true},
          {"hidden_act", "silu"},
          {"attention_bias", false},
          {"mlp_bias", false}};
}

ModelConfig parse(const json& config) {
  const std::string text = config.dump();
  return parse_model_config({text, std::nullopt, std::nullopt});
}

template <typename Action>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, Action action) {
  try {
    action();
    ADD_FAILURE() << "expected " << to_string(code) << (parts.empty() ? "" : " about " + parts.front());
  } catch (const Error& error) {
    EXPECT_STREQ(to_string(error.code()), to_string(code)) << error.what();
    EXPECT_FALSE(error.next_step().empty()) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\nlacks: " << part;
  }
}

/// The tiny configuration with one value replaced, at a path such as "/text_config/hidden_size".
void expect_refused(const char* path, const json& value, ErrorCode code, const std::vector<std::string>& parts) {
  SCOPED_TRACE(std::string(path) + " = " + value.dump());
  json config = tiny();
  config[json::json_pointer(path)] = value;
  expect_error(code, parts, [&] { parse(config); });
}

// --- reading -------------------------------------------------------------------------------

TEST(Config, ReadsTheReferenceModel) {
  const ModelConfig config = load_model_config(reference() / "tiny");
  EXPECT_EQ(config.architecture, Architecture::mllama);
  EXPECT_EQ(config.image_token_index, 320);
  const TextConfig& text = config.text;
  EXPECT_EQ(text.vocab_size, 320);
  EXPECT_EQ(text.embedding_rows, 328);
  EXPECT_EQ(text.hidden_size, 96);
  EXPECT_EQ(text.num_layers, 6);
  EXPECT_EQ(text.num_heads, 6);
  EXPECT_EQ(text.num_kv_heads, 2);
  EXPECT_EQ(text.head_dim, 16);
  EXPECT_EQ(text.intermediate_size, 224);
  EXPECT_EQ(text.cross_attention_layers, (std::vector<int>{1, 4}));
  EXPECT_TRUE(text.is_cross_attention_layer(4));
  EXPECT_FALSE(text.is_cross_attention_layer(3));
  EXPECT_EQ(text.rope_theta, 500000.0f);
  EXPECT_EQ(text.rope_scaling.kind, RopeScaling::Kind::llama3);
  EXPECT_EQ(text.rope_scaling.factor, 8.0f);
  EXPECT_EQ(text.rope_scaling.original_max_position_embeddings, 8192);
  EXPECT_EQ(text.rms_norm_eps, 1e-5f);
  EXPECT_EQ(text.bos_token, 256);
  EXPECT_EQ(text.eos_tokens, (std::vector<int>{257, 264, 265}));
  ASSERT_TRUE(config.vision);
  EXPECT_EQ(config.vision->head_dim(), 80);
  EXPECT_EQ(config.vision->patches_per_tile(), 16);
  EXPECT_EQ(config.vision->tokens_per_tile(), 17);
  EXPECT_EQ(config.vision->vision_output_dim, 640);
  EXPECT_EQ(config.vision->intermediate_layers_indices, (std::vector<int>{1, 2, 4}));
  EXPECT_EQ(config.vision->supported_aspect_ratios.size(), 8u);
  EXPECT_FLOAT_EQ(config.vision->image_mean[1], 0.4578275f);
  EXPECT_FLOAT_EQ(config.vision->image_std[2], 0.27577711f);
}

TEST(Config, ReadsTextModels) {
  const ModelConfig config = parse(llama_1b());
  EXPECT_EQ(config.architecture, Architecture::llama);
  EXPECT_FALSE(config.vision);
  EXPECT_FALSE(config.image_token_index);
  EXPECT_TRUE(config.text.tie_word_embeddings);
  EXPECT_EQ(config.text.embedding_rows, 128256);
  EXPECT_EQ(config.text.head_dim, 64);
  EXPECT_STREQ(output_weight_name(config), "text.embed_tokens.weight");
  EXPECT_EQ(parameter_count(config), 1'235'814'400);  // as published for Llama 3.2 1B
}

TEST(Config, CountsTheParametersOf11B) {
  json config = tiny();
  config["text_config"].update({{"vocab_size", 128256},
                                {"hidden_size", 4096},
                                {"num_hidden_layers", 40},
                                {"num_attention_heads", 32},
                                {"num_key_value_heads", 8},
                                {"intermediate_size", 14336},
                                {"cross_attention_layers", {3, 8, 13, 18, 23, 28, 33, 38}}});
  config["vision_config"].update({{"hidden_size", 1280},
                                  {"num_hidden_layers", 32},
                                  {"num_global_layers", 8},
                                  {"attention_heads", 16},
                                  {"intermediate_size", 5120},
                                  {"image_size", 560},
                                  {"intermediate_layers_indices", {3, 7, 15, 23, 30}},
                                  {"vision_output_dim", 7680}});
  config["image_token_index"] = 128256;
  EXPECT_EQ(parameter_count(parse(config)), 10'670'220'835);  // as the hub states for 11B Vision Instruct
}

TEST(Config, BothRopeSpellingsMeanTheSame) {
  const TextConfig older = parse(tiny()).text;
  json config = tiny();
  json parameters = config["text_config"]["rope_scaling"];
  parameters["rope_theta"] = config["text_config"]["rope_theta"];
  config["text_config"].erase("rope_scaling");
  config["text_config"].erase("rope_theta");
  config["text_config"]["rope_parameters"] = parameters;
  const TextConfig newer = parse(config).text;
  EXPECT_EQ(newer.rope_theta, older.rope_theta);
  EXPECT_EQ(newer.rope_scaling.kind, RopeScaling::Kind::llama3);
  EXPECT_EQ(newer.rope_scaling.factor, older.rope_scaling.factor);
  EXPECT_EQ(newer.rope_scaling.low_freq_factor, older.rope_scaling.low_freq_factor);
  EXPECT_EQ(newer.rope_scaling.high_freq_factor, older.rope_scaling.high_freq_factor);
  EXPECT_EQ(newer.rope_scaling.original_max_position_embeddings, older.rope_scaling.original_max_position_embeddings);
}

TEST(Config, RopeScalingMayBeAbsentNullOrNamedOtherwise) {
  json config = tiny();
  config["text_config"]["rope_scaling"] = nullptr;
  EXPECT_EQ(parse(config).text.rope_scaling.kind, RopeScaling::Kind::none);
  config["text_config"].erase("rope_scaling");
  EXPECT_EQ(parse(config).text.rope_scaling.kind, RopeScaling::Kind::none);
  config["text_config"]["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  EXPECT_EQ(parse(config).text.rope_scaling.kind, RopeScaling::Kind::none);
  EXPECT_EQ(parse(config).text.rope_theta, 10000.0f);
  config = tiny();
  config["text_config"]["rope_scaling"].erase("rope_type");
  config["text_config"]["rope_scaling"]["type"] = "llama3";
  EXPECT_EQ(parse(config).text.rope_scaling.kind, RopeScaling::Kind::llama3);
}

TEST(Config, StopTokensOfBothFilesAreMerged) {
  const std::string config = tiny().dump();
  const std::string generation = R"({"eos_token_id": [265, 300], "bos_token_id": 1})";
  const ModelConfig merged = parse_model_config({config, generation, std::nullopt});
  EXPECT_EQ(merged.text.eos_tokens, (std::vector<int>{257, 264, 265, 300}));
  EXPECT_EQ(merged.text.bos_token, 256);
  json one = tiny();
  one["text_config"]["eos_token_id"] = 7;
  EXPECT_EQ(parse(one).text.eos_tokens, (std::vector<int>{7}));
  expect_error(ErrorCode::checkpoint_config, {"generation_config.json", "eos_token_id"},
               [&] { parse_model_config({config, R"({"eos_token_id": 320})", std::nullopt}); });
}

TEST(Config, PreprocessorMustAgree) {
  const std::string config = tiny().dump();
  const auto with = [&](const char* preprocessor) { return parse_model_config({config, std::nullopt, preprocessor}); };
  EXPECT_EQ(with(R"({"image_mean":[0.5,0.25,0.125],"image_std":[1,2,3]})").vision->image_mean[2], 0.125f);
  EXPECT_FLOAT_EQ(with("{}").vision->image_std[0], 0.26862954f);
  expect_error(ErrorCode::checkpoint_config, {"preprocessor_config.json", "height", "560", "56"},
               [&] { with(R"({"size":{"height":560,"width":56}})"); });
  expect_error(ErrorCode::checkpoint_config, {"max_image_tiles"}, [&] { with(R"({"max_image_tiles":2})"); });
  expect_error(ErrorCode::checkpoint_config, {"image_std"}, [&] { with(R"({"image_std":[1,0,1]})"); });
  expect_error(ErrorCode::checkpoint_config, {"image_mean", "3 numbers"}, [&] { with(R"({"image_mean":[1,1]})"); });
  expect_error(ErrorCode::checkpoint_unsupported, {"rescale_factor"}, [&] { with(R"({"rescale_factor":1})"); });
}

TEST(Config, StandardAspectRatiosAreThePublishedOnes) {
  const std::vector<std::array<int, 2>> published = {{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2}, {3, 1}, {4, 1}};
  EXPECT_EQ(standard_aspect_ratios(4), published);
}

// --- refusing ------------------------------------------------------------------------------

TEST(Config, RefusesOtherModelsByName) {
  expect_refused("/model_type", "qwen2_vl", ErrorCode::checkpoint_unsupported, {"'qwen2_vl'"});
  expect_refused("/model_type", 3, ErrorCode::checkpoint_config, {"model_type"});
  expect_refused("/quantization_config", {{"load_in_4bit", true}}, ErrorCode::checkpoint_unsupported, {"bitsandbytes"});
  expect_refused("/quantization_config", {{"quant_method", "awq"}}, ErrorCode::checkpoint_unsupported, {"'awq'"});
  expect_refused("/quantization_config", {{"bits", 4}, {"group_size", 64}}, ErrorCode::checkpoint_unsupported, {"MLX"});
  expect_refused("/quantization", {{"bits", 4}, {"group_size", 64}}, ErrorCode::checkpoint_unsupported, {"MLX"});
  expect_refused("/quantization_config", {{"ignore", json::array()}}, ErrorCode::checkpoint_unsupported, {"does not say how"});
  expect_refused("/text_config/rope_scaling/rope_type", "yarn", ErrorCode::checkpoint_unsupported, {"'yarn'"});
  expect_refused("/text_config/hidden_act", "gelu", ErrorCode::checkpoint_unsupported, {"'gelu'"});
  expect_refused("/vision_config/num_channels", 1, ErrorCode::checkpoint_unsupported, {"num_channels"});
  json biased = llama_1b();
  biased["attention_bias"] = true;
  expect_error(ErrorCode::checkpoint_unsupported, {"attention_bias"}, [&] { parse(biased); });
}

TEST(Config, RefusesContradictions) {
  constexpr ErrorCode code = ErrorCode::checkpoint_config;
  expect_refused("/text_config/num_attention_heads", 5, code, {"num_attention_heads", "num_key_value_heads"});
  expect_refused("/text_config/hidden_size", 104, code, {"hidden_size (104)", "divisible", "(6)"});
  expect_refused("/text_config/head_dim", 32, code, {"head_dim (32)", "hidden_size"});
  expect_refused("/text_config/cross_attention_layers", {1, 6}, code, {"text_config.cross_attention_layers", "6", "0 to 5"});
  expect_refused("/text_config/cross_attention_layers", {-1, 4}, code, {"cross_attention_layers"});
  expect_refused("/text_config/cross_attention_layers", {4, 1}, code, {"cross_attention_layers", "rise"});
  expect_refused("/text_config/cross_attention_layers", {1, 1}, code, {"cross_attention_layers", "rise"});
  expect_refused("/text_config/cross_attention_layers", json::array(), code, {"cross_attention_layers", "empty"});
  expect_refused("/text_config/rope_scaling/high_freq_factor", 0.5, code, {"rope_scaling", "high_freq_factor"});
  expect_refused("/text_config/eos_token_id", {257, 320}, code, {"eos_token_id", "320"});
  expect_refused("/vision_config/vision_output_dim", 480, code, {"vision_config.vision_output_dim is 480", "640"});
  expect_refused("/vision_config/attention_heads", 3, code, {"attention_heads (3)"});
  expect_refused("/vision_config/image_size", 57, code, {"image_size (57)", "patch_size (14)"});
  expect_refused("/vision_config/intermediate_layers_indices", {1, 2, 5}, code, {"intermediate_layers_indices", "0 to 4"});
  expect_refused("/vision_config/supported_aspect_ratios/1", {2, 1}, code, {"supported_aspect_ratios"});
  expect_refused("/vision_config/max_num_tiles", 3, code, {"supported_aspect_ratios", "3 tiles"});
  expect_refused("/image_token_index", 328, code, {"image_token_index", "327"});
}

TEST(Config, RefusesWidthsThatKernelsCannotLoad) {
  expect_refused("/text_config/intermediate_size", 220, ErrorCode::checkpoint_unsupported, {"intermediate_size is 220", "multiple of 8"});
  expect_refused("/vision_config/intermediate_size", 417, ErrorCode::checkpoint_unsupported, {"417", "multiple of 8"});
  expect_refused("/text_config/num_attention_heads", 24, ErrorCode::checkpoint_unsupported, {"head width is 4"});
  expect_refused("/text_config/num_attention_heads", 32, ErrorCode::checkpoint_config, {"head width 3 is odd"});
}

TEST(Config, LeavesOutWhatTransformersFillsIn) {
  // As transformers saves a configuration again: without what equals its defaults.
  std::ifstream file(reference().parent_path() / "configs" / "llama-3.2-11b-vision.json");
  const json published = json::parse(file);
  json saved = published;
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                          "intermediate_size", "max_position_embeddings", "cross_attention_layers"})
    ASSERT_EQ(saved["text_config"].erase(key), 1u) << key;
  for (const char* key : {"hidden_size", "num_hidden_layers", "num_global_layers", "attention_heads", "intermediate_size", "image_size",
                          "patch_size", "max_num_tiles", "intermediate_layers_indices", "supported_aspect_ratios", "vision_output_dim"})
    ASSERT_EQ(saved["vision_config"].erase(key), 1u) << key;
  ASSERT_EQ(saved.erase("image_token_index"), 1u);
  const ModelConfig whole = parse(published), filled = parse(saved);
  const std::vector<ExpectedTensor> expected = expected_tensors(whole), found = expected_tensors(filled);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found[i].name, expected[i].name);
    EXPECT_EQ(found[i].shape, expected[i].shape) << expected[i].name;
  }
  EXPECT_EQ(filled.vision->image_size, 448);
  EXPECT_EQ(filled.vision->attention_heads, whole.vision->attention_heads);
  EXPECT_EQ(filled.text.max_position_embeddings, whole.text.max_position_embeddings);
  EXPECT_EQ(filled.image_token_index, whole.image_token_index);
  // A text model has no such defaults.
  json text = llama_1b();
  text.erase("hidden_size");
  expect_error(ErrorCode::checkpoint_config, {"hidden_size is missing"}, [&] { parse(text); });
}

TEST(Config, RefusesNumbersOutOfRange) {
  for (const char* path :
       {"/text_config/vocab_size", "/text_config/hidden_size", "/text_config/num_hidden_layers", "/text_config/num_attention_heads",
        "/text_config/num_key_value_heads", "/text_config/intermediate_size", "/text_config/max_position_embeddings",
        "/vision_config/hidden_size", "/vision_config/num_hidden_layers", "/vision_config/attention_heads",
        "/vision_config/intermediate_size", "/vision_config/image_size", "/vision_config/patch_size", "/vision_config/max_num_tiles"}) {
    for (const json& value :
         {json(0), json(-8), json(1LL << 40), json(~0ULL), json(96.0), json("96"), json(true), json(nullptr), json(json::array({96}))}) {
      if (value.is_null() && std::string(path).ends_with("num_key_value_heads")) continue;  // absent = num_attention_heads
      expect_refused(path, value, ErrorCode::checkpoint_config, {std::string(path).substr(std::string(path).rfind('/') + 1)});
    }
  }
  expect_refused("/vision_config/patch_size", 1'000'000, ErrorCode::checkpoint_config, {"patch_size"});
  expect_refused("/text_config/rms_norm_eps", 0, ErrorCode::checkpoint_config, {"rms_norm_eps"});
  expect_refused("/text_config/rope_theta", -1, ErrorCode::checkpoint_config, {"rope_theta"});
  expect_refused("/text_config", 1, ErrorCode::checkpoint_config, {"text_config"});
  expect_refused("/vision_config", nullptr, ErrorCode::checkpoint_config, {"vision_config is missing"});
}

TEST(Config, RefusesMalformedText) {
  const auto parse_text = [](const std::string& text) { return [text] { parse_model_config({text, std::nullopt, std::nullopt}); }; };
  const std::vector<std::string> texts = {"",
                                          "{",
                                          "[]",
                                          "null",
                                          "{\"model_type\":\"\xff\"}",
                                          R"({"model_type":"mllama","model_type":"llama"})",
                                          R"({"a":1e999})",
                                          "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}",
                                          std::string("{}\0", 3)};
  for (const std::string& text : texts) {
    SCOPED_TRACE(text.substr(0, 60));
    try {
      parse_text(text)();
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::checkpoint_config) << error.what();
      EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos);
    }
  }
}

TEST(Config, ReadsWhatPeoplesToolsWrite) {
  const std::string text = tiny().dump(2);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const std::size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  const auto read = [](const std::string& config) { return parse_model_config({config, std::nullopt, std::nullopt}); };
  const int hidden = parse(tiny()).text.hidden_size;
  for (const std::string& config :
       {"\xef\xbb\xbf" + text, with("{", "{\"dropout\": NaN, \"a\": [-Infinity, Infinity], \"b\": \"NaN \\\" NaN\","),
        with("\"model_type\": \"mllama\"", "\"model_type\": \"mllama\", \"model_type\": \"mllama\""),
        with("\"text_config\": {", "\"quantization_config\": {}, \"x\": {\"y\": [1]}, \"x\": {\"y\": [1]}, \"text_config\": {")}) {
    EXPECT_EQ(read(config).text.hidden_size, hidden);
  }
  expect_error(ErrorCode::checkpoint_config, {"'x' appears twice, with two values"},
               [&] { read(with("{", "{\"x\": {\"y\": 1}, \"x\": {\"y\": 2},")); });
  expect_error(ErrorCode::checkpoint_config, {"rms_norm_eps must be a number"},
               [&] { read(with("\"rms_norm_eps\": ", "\"rms_norm_eps\": NaN, \"was\": ")); });
  expect_error(ErrorCode::checkpoint_config, {"UTF-16"}, [&] { read(std::string("\xff\xfe{\0}\0", 6)); });
  expect_error(ErrorCode::checkpoint_config, {"not valid JSON"}, [&] { read(with("{", "{\"a\": NaNa,")); });
}

TEST(Config, MissingFileIsNamed) {
  try {
    load_model_config(reference());
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::file_missing);
    EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos);
  }
}

// --- tensors -------------------------------------------------------------------------------

TEST(ExpectedTensors, AreExactlyThoseOfTheReferenceCheckpoint) {
  const ModelConfig config = load_model_config(reference() / "tiny");
  const Checkpoint checkpoint = Checkpoint::open(reference() / "tiny");
  EXPECT_NO_THROW(check_tensors(config, checkpoint));
  std::vector<std::string> names;
  for (const ExpectedTensor& tensor : expected_tensors(config)) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, checkpoint.names());
}

/// A checkpoint in memory with the expected tensors of `config`, altered by `alter(header)`.
/// Offsets are assigned after altering; the data are zero.
template <typename Alter>
void check_altered(const ModelConfig& config, Alter alter) {
  json header;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    header[published_name(tensor.name, config.architecture == Architecture::llama)] = {{"dtype", "BF16"}, {"shape", tensor.shape}};
  }
  alter(header);
  std::uint64_t end = 0;
  for (json& tensor : header) {
    std::uint64_t bytes = stored_bytes(*dtype_from_name(std::string(tensor["dtype"])), 1);
    for (const json& dimension : tensor["shape"]) bytes *= static_cast<std::uint64_t>(dimension);
    tensor["data_offsets"] = {end, end + bytes};
    end += bytes;
  }
  const std::string text = header.dump();
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i));
  file += text;
  file.resize(file.size() + end);
  check_tensors(config, Checkpoint::from_bytes(std::as_bytes(std::span(file)), "memory"));
}

TEST(CheckTensors, AcceptsExtraTensorsAndOtherFloatTypes) {
  EXPECT_NO_THROW(check_altered(parse(tiny()), [](json& header) {
    header["language_model.model.rotary_emb.inv_freq"] = {{"dtype", "F32"}, {"shape", {8}}};
    header["language_model.model.norm.weight"]["dtype"] = "F32";
    header["language_model.lm_head.weight"]["dtype"] = "F16";
  }));
}

TEST(CheckTensors, NamesMissingTensors) {
  expect_error(
      ErrorCode::checkpoint_tensor, {"memory", "'language_model.model.layers.1.cross_attn.q_norm.weight'", "[16]", "1 of 168"},
      [] { check_altered(parse(tiny()), [](json& header) { header.erase("language_model.model.layers.1.cross_attn.q_norm.weight"); }); });
}

TEST(CheckTensors, NamesWrongShapes) {
  expect_error(ErrorCode::checkpoint_shape, {"'multi_modal_projector.weight'", "[640, 96]", "[96, 640]"},
               [] { check_altered(parse(tiny()), [](json& header) { header["multi_modal_projector.weight"]["shape"] = {640, 96}; }); });
  expect_error(ErrorCode::checkpoint_shape, {"embed_tokens", "[320, 96]", "[328, 96]"}, [] {
    check_altered(parse(tiny()), [](json& header) { header["language_model.model.embed_tokens.weight"]["shape"] = {320, 96}; });
  });
}

TEST(CheckTensors, NamesWrongTypes) {
  expect_error(ErrorCode::checkpoint_dtype, {"'vision_model.class_embedding'", "I16", "BF16"},
               [] { check_altered(parse(tiny()), [](json& header) { header["vision_model.class_embedding"]["dtype"] = "I16"; }); });
}

TEST(CheckTensors, RecognisesBitsandbytes) {
  for (const char* name : {".absmax", ".quant_map", ".quant_state.bitsandbytes__nf4"}) {
    expect_error(ErrorCode::checkpoint_unsupported, {"bitsandbytes", name}, [&] {
      check_altered(parse(tiny()), [&](json& header) {
        const std::string weight = "language_model.model.layers.0.mlp.up_proj.weight";
        header[weight] = {{"dtype", "U8"}, {"shape", {10752, 1}}};
        header[weight + name] = {{"dtype", "U8"}, {"shape", {336}}};
      });
    });
  }
}

TEST(CheckTensors, RecognisesOtherStoragesByTheirTensors) {
  const std::string layer = "language_model.model.layers.0.mlp.up_proj.";
  struct Case {
    std::string name;
    const char* dtype;
    const char* words;
  };
  for (const Case& one : {Case{layer + "weight", "F8_E4M3", "weights in FP8"},
                          {layer + "qweight", "I32", "GPTQ or AWQ"},
                          {layer + "weight_packed", "I32", "compressed-tensors"},
                          {layer + "W_q", "U8", "HQQ"},
                          {layer + "weight", "U32", "MLX"},
                          {"vision_tower.x", "F32", "MLX's own arrangement"},
                          {layer + "lora_A.default.weight", "F32", "not merged"}}) {
    expect_error(ErrorCode::checkpoint_unsupported, {one.words, one.name}, [&] {
      check_altered(parse(tiny()), [&](json& header) { header[one.name] = {{"dtype", one.dtype}, {"shape", {8, 8}}}; });
    });
  }
}

TEST(CheckTensors, TiedTextModelsNeedNoOutputMatrix) {
  json small = llama_1b();
  small.update({{"vocab_size", 64},
                {"hidden_size", 64},
                {"num_hidden_layers", 1},
                {"num_attention_heads", 2},
                {"num_key_value_heads", 1},
                {"head_dim", 32},
                {"intermediate_size", 64},
                {"bos_token_id", 1},
                {"eos_token_id", 2}});
  EXPECT_NO_THROW(check_altered(parse(small), [](json&) {}));
  EXPECT_NO_THROW(check_altered(parse(small), [](json& header) { header["lm_head.weight"] = {{"dtype", "BF16"}, {"shape", {64, 64}}}; }));
  small["tie_word_embeddings"] = false;
  expect_error(ErrorCode::checkpoint_tensor, {"'lm_head.weight'"},
               [&] { check_altered(parse(small), [](json& header) { header.erase("lm_head.weight"); }); });
}

}  // namespace
}  // namespace loupe
