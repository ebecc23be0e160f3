// Reading GGUF: the reference files entry by entry, hostile ones with the right message, and both layouts under one spelling.

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fixtures.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/gguf.h"
#include "weights/gguf_names.h"
#include "weights/mapped_file.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path folder() { return test::reference() / "gguf"; }

json index() {
  std::ifstream file(folder() / "index.json");
  return json::parse(file);
}

std::vector<fs::path> files_of(const std::string& variant) {
  std::vector<fs::path> files;
  const json variants = index();
  for (const auto& file : variants.at(variant).at("files")) files.push_back(folder() / file.get<std::string>());
  return files;
}

template <typename Action>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, Action action) {
  try {
    action();
    ADD_FAILURE() << "expected " << to_string(code);
  } catch (const Error& error) {
    EXPECT_STREQ(to_string(error.code()), to_string(code)) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\nlacks: " << part;
  }
}

/// A GGUF file put together by hand, field by field.
class Writer {
 public:
  template <typename Number>
  Writer& number(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(const std::string& value) {
    number<std::uint64_t>(value.size());
    bytes_ += value;
    return *this;
  }
  Writer& header(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
    bytes_ += "GGUF";
    return number(version).number(tensors).number(entries);
  }
  template <typename Number>
  Writer& entry(const std::string& key, GgufType type, Number value) {
    return text(key).number(static_cast<std::uint32_t>(type)).number(value);
  }
  Writer& entry(const std::string& key, const std::string& value) {
    return text(key).number(static_cast<std::uint32_t>(GgufType::text)).text(value);
  }
  Writer& tensor(const std::string& name, std::vector<std::uint64_t> sizes, std::uint32_t type, std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(sizes.size()));
    for (const std::uint64_t size : sizes) number(size);
    return number(type).number(offset);
  }
  Writer& data(std::size_t size, std::size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment, '\0');
    bytes_.resize(bytes_.size() + size, '\x01');
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }
GgufContents parse(const Writer& file) { return parse_gguf(as_bytes(file.bytes()), "test.gguf"); }
void expect_header_error(ErrorCode code, const std::vector<std::string>& parts, const Writer& file) {
  expect_error(code, parts, [&] { parse(file); });
}

// --- the reference files ---------------------------------------------------------------------------

TEST(Gguf, ReferenceFilesHoldTheTypesThatTheIndexNames) {
  const json variants = index();
  EXPECT_EQ(variants.size(), 6u);
  for (const auto& [variant, entry] : variants.items()) {
    std::size_t found = 0;
    for (const fs::path& path : files_of(variant)) {
      const MappedFile file(path);
      const GgufContents contents = parse_gguf(file.bytes(), file.path());
      for (const TensorView& tensor : contents.tensors) {
        EXPECT_EQ(to_string(tensor.dtype), entry.at("types").at(tensor.name).get<std::string>()) << variant << " " << tensor.name;
        ++found;
      }
    }
    EXPECT_EQ(found, entry.at("types").size()) << variant;
  }
}

TEST(Gguf, ReadsMetadataOfEveryKindInTheReference) {
  const MappedFile file(folder() / "unified-f16.gguf");
  const GgufMetadata metadata = parse_gguf(file.bytes(), file.path()).metadata;
  EXPECT_EQ(metadata.at("general.architecture").as_text(), "mllama");
  EXPECT_EQ(metadata.at("mllama.vision.max_num_tiles").as_integer(), 4);
  EXPECT_FLOAT_EQ(static_cast<float>(metadata.at("mllama.rope.freq_base").as_number().value()), 500000.0f);
  EXPECT_EQ(metadata.at("tokenizer.ggml.add_bos_token").as_boolean(), false);
  EXPECT_EQ(metadata.at("general.architecture").as_integer(), std::nullopt);
  EXPECT_EQ(metadata.at("mllama.vision.max_num_tiles").as_text(), std::nullopt);
  std::vector<std::string> tokens;
  metadata.at("tokenizer.ggml.tokens").for_each([&](const GgufValue& token) { tokens.emplace_back(token.as_text().value()); });
  ASSERT_EQ(tokens.size(), 321u);
  EXPECT_EQ(tokens[256], "<|begin_of_text|>");
  EXPECT_EQ(tokens[320], "<|image|>");
  std::vector<std::int64_t> layers;
  metadata.at("mllama.attention.cross_attention_layers").for_each([&](const GgufValue& layer) {
    layers.push_back(layer.as_integer().value());
  });
  EXPECT_EQ(layers.size(), metadata.at("mllama.attention.cross_attention_layers").count);
  EXPECT_FALSE(layers.empty());
}

// The published checkpoint is what the F16 files were made from, so every tensor must come back, rows and gates restored.
TEST(Gguf, BothLayoutsRestoreThePublishedTensors) {
  const Checkpoint published = Checkpoint::open(test::reference() / "tiny");
  for (const char* variant : {"unified-f16", "legacy-f16"}) {
    const std::vector<fs::path> files = files_of(variant);
    const Checkpoint checkpoint = Checkpoint::open_gguf(files);
    EXPECT_EQ(checkpoint.tensors().size(), published.tensors().size() + 2) << variant;  // rotation factors, position factor
    for (const TensorView& wanted : published.tensors()) {
      const TensorView& found = checkpoint.at(wanted.name);
      ASSERT_EQ(found.shape, wanted.shape) << variant << " " << wanted.name;
      const std::vector<float> expected = read_floats(wanted), stored = read_floats(found);
      // The vision tower's pairs are left as they are (gguf_names.cpp).
      if (wanted.name.starts_with("vision.") && (wanted.name.ends_with("q_proj.weight") || wanted.name.ends_with("k_proj.weight")))
        continue;
      const std::int64_t rows = wanted.shape[0], cols = wanted.elements() / rows;
      for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t col = 0; col < cols; ++col) {
          const float value = stored[static_cast<std::size_t>(found.stored_row(row) * cols + col)];
          const float published_value = expected[static_cast<std::size_t>(row * cols + col)];
          if (found.tanh_applied)
            ASSERT_NEAR(value, std::tanh(published_value), 1e-6) << variant << " " << wanted.name;
          else
            ASSERT_EQ(value, found.dtype == DType::f16 ? f16_to_float(float_to_f16(published_value)) : published_value)
                << variant << " " << wanted.name << " row " << row;
        }
    }
  }
}

TEST(Gguf, FilesOfOneModelMayComeInAnyOrder) {
  std::vector<fs::path> files = files_of("legacy-q8_0");
  std::swap(files[0], files[1]);
  const Checkpoint checkpoint = Checkpoint::open_gguf(files);
  EXPECT_EQ(checkpoint.metadata()->at("general.type").as_text(), "model");
  EXPECT_NE(checkpoint.find("vision.class_embedding"), nullptr);
}

TEST(Gguf, NamesGoThereAndBack) {
  const std::vector<fs::path> files = files_of("unified-q4_0");
  const Checkpoint checkpoint = Checkpoint::open_gguf(files);
  for (const TensorView& tensor : checkpoint.tensors()) EXPECT_EQ(gguf_name(tensor.name), tensor.stored_name);
  TensorView tensor;
  for (const char* name : {"blk.0.attn_q.bias", "blk.07.attn_q.weight", "blk..attn_q.weight", "blk.1x.attn_q.weight",
                           "v.blk.99999.ln1.bias", "blk.0", "output.weight2", ""}) {
    tensor.stored_name = name;
    EXPECT_FALSE(name_gguf_tensor(tensor, {})) << name;
  }
}

// Row s * D / 2 + j of a head stands at 2j + s.
TEST(Gguf, RowsInPairs) {
  TensorView tensor;
  tensor.paired_head = 6;
  std::vector<std::int64_t> stored;
  for (std::int64_t row = 0; row < 12; ++row) stored.push_back(tensor.stored_row(row));
  EXPECT_EQ(stored, (std::vector<std::int64_t>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}));
}

// --- well-formed, by hand --------------------------------------------------------------------------

TEST(Gguf, EveryValueType) {
  Writer file;
  file.header(0, 15, 2);
  file.entry("u8", GgufType::u8, std::uint8_t{200}).entry("i8", GgufType::i8, std::int8_t{-3});
  file.entry("u16", GgufType::u16, std::uint16_t{60000}).entry("i16", GgufType::i16, std::int16_t{-300});
  file.entry("u32", GgufType::u32, std::uint32_t{4000000000}).entry("i32", GgufType::i32, std::int32_t{-70000});
  file.entry("u64", GgufType::u64, std::uint64_t{1} << 40).entry("i64", GgufType::i64, std::int64_t{-1} << 40);
  file.entry("f32", GgufType::f32, 1.5f).entry("f64", GgufType::f64, -2.25).entry("bool", GgufType::boolean, std::uint8_t{1});
  file.entry("text", "words").entry("huge", GgufType::u64, ~std::uint64_t{0});
  file.text("texts").number(9u).number(8u).number(std::uint64_t{2}).text("a").text("");
  file.text("numbers").number(9u).number(5u).number(std::uint64_t{2}).number(std::int32_t{-1}).number(std::int32_t{2});
  const GgufMetadata m = parse(file).metadata;
  EXPECT_EQ(m.at("u8").as_integer(), 200);
  EXPECT_EQ(m.at("i8").as_integer(), -3);
  EXPECT_EQ(m.at("u16").as_integer(), 60000);
  EXPECT_EQ(m.at("i16").as_integer(), -300);
  EXPECT_EQ(m.at("u32").as_integer(), 4000000000);
  EXPECT_EQ(m.at("i32").as_integer(), -70000);
  EXPECT_EQ(m.at("u64").as_integer(), std::int64_t{1} << 40);
  EXPECT_EQ(m.at("i64").as_integer(), std::int64_t{-1} * (std::int64_t{1} << 40));
  EXPECT_EQ(m.at("huge").as_integer(), std::nullopt);
  EXPECT_EQ(m.at("f32").as_number(), 1.5);
  EXPECT_EQ(m.at("f64").as_number(), -2.25);
  EXPECT_EQ(m.at("i8").as_number(), -3.0);
  EXPECT_EQ(m.at("bool").as_boolean(), true);
  EXPECT_EQ(m.at("text").as_text(), "words");
  std::vector<std::string> texts;
  m.at("texts").for_each([&](const GgufValue& value) { texts.emplace_back(value.as_text().value()); });
  EXPECT_EQ(texts, (std::vector<std::string>{"a", ""}));
  std::vector<std::int64_t> numbers;
  m.at("numbers").for_each([&](const GgufValue& value) { numbers.push_back(value.as_integer().value()); });
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{-1, 2}));
}

TEST(Gguf, TensorsLieWhereTheHeaderSays) {
  Writer file;
  file.header(2, 1).entry("general.alignment", GgufType::u32, std::uint32_t{64});
  file.tensor("b", {32, 3}, 8, 64).tensor("a", {4, 2}, 0, 0).data(64 + 3 * 34, 64);
  const GgufContents contents = parse(file);
  ASSERT_EQ(contents.tensors.size(), 2u);
  EXPECT_EQ(contents.tensors[0].name, "a");
  EXPECT_EQ(contents.tensors[0].shape, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(contents.tensors[1].dtype, DType::q8_0);
  EXPECT_EQ(contents.tensors[1].bytes.size(), 3u * 34);
  EXPECT_EQ(contents.tensors[1].bytes.data(), as_bytes(file.bytes()).data() + file.bytes().size() - 3 * 34);
}

// --- hostile ---------------------------------------------------------------------------------------

TEST(Gguf, OtherFilesAreNamed) {
  const auto refuse = [](const std::string& text, ErrorCode code, const std::string& part) {
    expect_error(code, {part}, [&] { parse_gguf(as_bytes(text), "test.gguf"); });
  };
  refuse("", ErrorCode::file_truncated, "0 bytes");
  refuse("GG", ErrorCode::file_truncated, "2 bytes");
  refuse("PK\x03\x04 a zip file", ErrorCode::checkpoint_header, "does not begin with GGUF");
  refuse("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", ErrorCode::checkpoint_header, "Git LFS");
  refuse("GGUF", ErrorCode::file_truncated, "the version");
  expect_header_error(ErrorCode::checkpoint_unsupported, {"version 1"}, Writer().header(0, 0, 1));
  expect_header_error(ErrorCode::checkpoint_unsupported, {"version 4"}, Writer().header(0, 0, 4));
  expect_header_error(ErrorCode::checkpoint_unsupported, {"big-endian"}, Writer().header(0, 0, 0x03000000));
}

TEST(Gguf, EveryTruncationIsRefused) {
  Writer file;
  file.header(1, 3).entry("general.architecture", "llama").entry("n", GgufType::u32, 7u);
  file.text("list").number(9u).number(8u).number(std::uint64_t{2}).text("one").text("two");
  file.tensor("output.weight", {32, 2}, 2, 0).data(36);
  ASSERT_NO_THROW(parse(file));
  for (std::size_t length = 0; length < file.bytes().size(); ++length) {
    const std::vector<char> exact(file.bytes().begin(), file.bytes().begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_THROW(parse_gguf(std::as_bytes(std::span(exact)), "test.gguf"), Error) << length;
  }
}

TEST(Gguf, CountsAreBoundedBeforeAnythingIsAllocated) {
  const std::uint64_t huge = ~std::uint64_t{0};
  expect_header_error(ErrorCode::checkpoint_header, {"entries"}, Writer().header(0, huge));
  expect_header_error(ErrorCode::checkpoint_header, {"tensors"}, Writer().header(huge, 0));
  expect_header_error(ErrorCode::file_truncated, {"a text"}, Writer().header(0, 1).text("k").number(8u).number(huge));
  expect_header_error(ErrorCode::checkpoint_header, {"elements"}, Writer().header(0, 1).text("k").number(9u).number(8u).number(huge));
  expect_header_error(ErrorCode::file_truncated, {"a list"},
                      Writer().header(0, 1).text("k").number(9u).number(12u).number(std::uint64_t{1} << 21));
  expect_header_error(ErrorCode::file_truncated, {"a text in a list"},
                      Writer().header(0, 1).text("k").number(9u).number(8u).number(std::uint64_t{1} << 21).text("a"));
  expect_header_error(ErrorCode::checkpoint_header, {"a key"}, Writer().header(0, 1).number(std::uint64_t{1} << 30));
  expect_header_error(ErrorCode::checkpoint_header, {"a key"}, Writer().header(0, 1).text(""));
}

TEST(Gguf, MalformedEntries) {
  expect_header_error(ErrorCode::checkpoint_header, {"'k'", "unknown type 13"}, Writer().header(0, 1).text("k").number(13u));
  expect_header_error(ErrorCode::checkpoint_header, {"'k'", "list of lists"},
                      Writer().header(0, 1).text("k").number(9u).number(9u).number(std::uint64_t{0}));
  expect_header_error(ErrorCode::checkpoint_header, {"'k'", "twice"}, Writer().header(0, 2).entry("k", "a").entry("k", "b"));
  for (const std::uint32_t alignment : {0u, 3u, 1u << 21}) {
    expect_header_error(ErrorCode::checkpoint_header, {"general.alignment"},
                        Writer().header(0, 1).entry("general.alignment", GgufType::u32, alignment));
  }
  expect_header_error(ErrorCode::checkpoint_header, {"general.alignment"}, Writer().header(0, 1).entry("general.alignment", "32"));
}

TEST(Gguf, MalformedTensors) {
  const auto one = [](std::vector<std::uint64_t> sizes, std::uint32_t type, std::uint64_t offset) {
    return Writer().header(1, 0).tensor("t", std::move(sizes), type, offset).data(1024);
  };
  const std::uint64_t huge = ~std::uint64_t{0};
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "5 dimensions"}, one({1, 1, 1, 1, 1}, 0, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "dimension"}, one({huge}, 0, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "more than fits"}, one({std::uint64_t{1} << 40, std::uint64_t{1} << 40}, 0, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "more than fits"},
                      one({std::uint64_t{1} << 32, std::uint64_t{1} << 32, 0}, 0, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "48", "Q8_0"}, one({48, 2}, 8, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "128", "Q4_K"}, one({128, 2}, 12, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "multiple of 32"}, one({8}, 0, 4));
  expect_header_error(ErrorCode::file_truncated, {"'t'", "1028"}, one({257}, 0, 0));
  expect_header_error(ErrorCode::file_truncated, {"'t'"}, one({8}, 0, huge - 31));
  expect_header_error(ErrorCode::checkpoint_dtype, {"'t'", "IQ4_XS"}, one({256}, 23, 0));
  expect_header_error(ErrorCode::checkpoint_dtype, {"'t'", "unknown type 4"}, one({32}, 4, 0));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "twice"},
                      Writer().header(2, 0).tensor("t", {8}, 0, 0).tensor("t", {8}, 0, 32).data(64));
  expect_header_error(ErrorCode::checkpoint_header, {"'t'", "'u'", "overlap"},
                      Writer().header(2, 0).tensor("t", {16}, 0, 0).tensor("u", {8}, 0, 32).data(64));
}

// --- dialects --------------------------------------------------------------------------------------

Writer with_architecture(const std::string& architecture, std::uint64_t tensors) {
  return Writer().header(tensors, 1).entry("general.architecture", architecture);
}

void expect_refused(const Writer& file, ErrorCode code, const std::vector<std::string>& parts) {
  expect_error(code, parts, [&] { Checkpoint::from_bytes(as_bytes(file.bytes()), "test.gguf"); });
}

TEST(Gguf, OtherArchitecturesAreRefusedByName) {
  for (const char* name : {"qwen2", "clip", "llama4", "mllama2"})
    expect_refused(with_architecture(name, 0), ErrorCode::checkpoint_unsupported, {name});
  expect_refused(Writer().header(0, 0), ErrorCode::checkpoint_header, {"general.architecture"});
}

TEST(Gguf, TheExperimentalDialectIsRefusedByName) {
  for (const char* name : {"vis.blk.0.attn_q.weight", "blk.3.cross_attn_mpl_gate"}) {
    Writer file = with_architecture("mllama", 1);
    expect_refused(file.tensor(name, {8}, 0, 0).data(32), ErrorCode::checkpoint_unsupported, {"experimental dialect", name});
  }
}

TEST(Gguf, UnknownTensorsAreRefusedByName) {
  Writer file = with_architecture("llama", 1);
  expect_refused(file.tensor("blk.0.attn_q.bias", {8}, 0, 0).data(32), ErrorCode::checkpoint_unsupported, {"blk.0.attn_q.bias"});
}

TEST(Gguf, GatesThatHoldNoTanhAreRefused) {
  Writer file = with_architecture("mllama", 1);
  file.tensor("v.global.blk.0.attn_gate", {1}, 0, 0).data(0).number(1.75f);
  expect_refused(file, ErrorCode::checkpoint_unsupported, {"v.global.blk.0.attn_gate", "0.7.0"});
}

TEST(Gguf, FilesOfTwoModelsAreNotJoined) {
  const std::vector<fs::path> twice = {folder() / "unified-f16.gguf", folder() / "unified-q4_0.gguf"};
  expect_error(ErrorCode::checkpoint_header, {"unified-f16.gguf", "unified-q4_0.gguf", "both hold"}, [&] { Checkpoint::open_gguf(twice); });
  expect_error(ErrorCode::file_missing, {"No GGUF file"}, [&] { Checkpoint::open_gguf({}); });
}

TEST(Gguf, PartsOfASplitModelMustBeComplete) {
  Writer file;
  file.header(0, 2).entry("general.architecture", "llama").entry("split.count", GgufType::u16, std::uint16_t{3});
  expect_refused(file, ErrorCode::file_missing, {"1 of 3 parts is here", "'part 2' and 'part 3' are missing"});
  Writer last;
  last.header(0, 2).entry("split.no", GgufType::u16, std::uint16_t{2}).entry("split.count", GgufType::u16, std::uint16_t{3});
  expect_error(ErrorCode::file_missing, {"'a-00001-of-00003.gguf' and 'a-00002-of-00003.gguf' are missing"},
               [&] { Checkpoint::from_bytes(as_bytes(last.bytes()), "x/a-00003-of-00003.gguf"); });
  Writer many;
  many.header(0, 2).entry("general.architecture", "llama").entry("split.count", GgufType::u32, ~std::uint32_t{0});
  expect_refused(many, ErrorCode::checkpoint_header, {"split.count"});
}

// As `cat` joins what llama-gguf-split has cut.
TEST(Gguf, FilesBehindOneAnotherAreRefused) {
  Writer file = with_architecture("llama", 1);
  file.tensor("blk.0.attn_norm.weight", {3}, 0, 0).data(12);
  std::string joined = file.bytes();
  EXPECT_NO_THROW(parse_gguf(as_bytes(joined), "one.gguf"));
  for (const std::size_t gap : {std::size_t{0}, (32 - joined.size() % 32) % 32}) {
    const std::string both = joined + std::string(gap, '\0') + file.bytes();
    expect_error(ErrorCode::checkpoint_unsupported, {"both.gguf", "second GGUF file"}, [&] { parse_gguf(as_bytes(both), "both.gguf"); });
  }
  joined += "GGUF";  // too little to be one
  EXPECT_NO_THROW(parse_gguf(as_bytes(joined), "one.gguf"));
}

TEST(Gguf, PiecesOfACutFileAreNamed) {
  const fs::path piece = fs::temp_directory_path() / "loupe-test.Q8_0.gguf.part1of2";
  std::ofstream(piece, std::ios::binary) << Writer().header(0, 0).bytes();
  expect_error(ErrorCode::file_truncated, {"piece 1 of 2 of one file, loupe-test.Q8_0.gguf"},
               [&] { Checkpoint::open_gguf(std::vector<fs::path>{piece}); });
  fs::remove(piece);
}

}  // namespace
}  // namespace loupe
