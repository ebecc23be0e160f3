// Reading checkpoints: well-formed ones bit by bit, hostile ones with the right message.

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fixtures.h"
#include "model/config.h"
#include "weights/convert.h"
#include "weights/folder.h"
#include "weights/mapped_file.h"
#include "weights/safetensors.h"
#include "weights/synthetic.h"
#include "weights/tensor_names.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using test::reference;

/// A folder of the test's own, removed with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = fs::temp_directory_path() / (std::string("loupe-") + test->test_suite_name() + "-" + test->name());
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  ASSERT_TRUE(file.good()) << path;
}

std::string little_endian_u64(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string safetensors(const std::string& header, std::size_t data_bytes) {
  return little_endian_u64(header.size()) + header + std::string(data_bytes, '\x01');
}

json entry(const char* dtype, std::vector<std::int64_t> shape, std::uint64_t begin, std::uint64_t end) {
  return {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
}

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

SafetensorsContents parse(const std::string& file) { return parse_safetensors(as_bytes(file), "test.safetensors"); }

/// Runs `action`, which must throw `code` with a message that contains every one of `parts`.
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

void expect_header_error(ErrorCode code, const std::vector<std::string>& parts, const std::string& file) {
  expect_error(code, parts, [&] { parse(file); });
}

// --- mapped files --------------------------------------------------------------------------

TEST(MappedFile, ReadsTheWholeFileAndSurvivesMoves) {
  const TemporaryFolder folder;
  const std::string text(100'000, 'x');
  write(folder / "a", text + "end");
  MappedFile first(folder / "a");
  MappedFile second(std::move(first));
  EXPECT_EQ(first.size(), 0u);
  ASSERT_EQ(second.size(), text.size() + 3);
  EXPECT_EQ(std::memcmp(second.bytes().data() + text.size(), "end", 3), 0);
  MappedFile third(folder / "a");
  third = std::move(second);
  EXPECT_EQ(third.size(), text.size() + 3);
}

TEST(MappedFile, BytesStayValidAfterAdviseDone) {
  const TemporaryFolder folder;
  std::string text(50'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i % 251);
  write(folder / "a", text);
  const MappedFile file(folder / "a");
  file.advise_done(4'097, 20'000);
  file.advise_done(49'999, static_cast<std::size_t>(-1));
  file.advise_done(60'000, 1);
  EXPECT_EQ(std::memcmp(file.bytes().data(), text.data(), text.size()), 0);
}

TEST(MappedFile, EmptyFileIsEmpty) {
  const TemporaryFolder folder;
  write(folder / "empty", "");
  const MappedFile file(folder / "empty");
  EXPECT_TRUE(file.bytes().empty());
  file.advise_done(0, 1);
}

TEST(MappedFile, NamesWhatCannotBeRead) {
  const TemporaryFolder folder;
  expect_error(ErrorCode::file_missing, {"absent"}, [&] { MappedFile(folder / "absent"); });
  expect_error(ErrorCode::file_missing, {"folder"}, [&] { MappedFile(folder.path()); });
}

// --- one file ------------------------------------------------------------------------------

TEST(Safetensors, ReadsShapesBytesAndMetadata) {
  const json header = {{"__metadata__", {{"format", "pt"}}},
                       {"b", entry("I32", {2}, 4, 12)},
                       {"a", entry("BF16", {2, 1}, 0, 4)},
                       {"none", entry("F32", {0, 3}, 12, 12)},
                       {"scalar", entry("I64", {}, 12, 20)}};
  const std::string data(
      "\x80\x3f\x00\xc0"
      "\x05\x00\x00\x00\xfe\xff\xff\xff"
      "\x09\x00\x00\x00\x00\x00\x00\x00",
      20);
  const std::string file = little_endian_u64(header.dump().size()) + header.dump() + data;
  const SafetensorsContents contents = parse(file);
  ASSERT_EQ(contents.tensors.size(), 4u);
  EXPECT_EQ(contents.metadata.at("format"), "pt");
  for (const TensorView& tensor : contents.tensors) {
    if (tensor.name == "a") {
      EXPECT_EQ(read_floats(tensor), (std::vector<float>{1.0f, -2.0f}));
      EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{2, 1}));
    } else if (tensor.name == "b") {
      EXPECT_EQ(read_integers(tensor), (std::vector<std::int64_t>{5, -2}));
      expect_error(ErrorCode::checkpoint_dtype, {"'b'", "I32"}, [&] { read_floats(tensor); });
    } else if (tensor.name == "scalar") {
      EXPECT_EQ(tensor.elements(), 1);
      EXPECT_EQ(read_integers(tensor), (std::vector<std::int64_t>{9}));
    } else {
      EXPECT_EQ(tensor.elements(), 0);
    }
  }
}

TEST(Safetensors, RefusesTruncatedFiles) {
  expect_header_error(ErrorCode::file_truncated, {"test.safetensors", "0 bytes"}, "");
  expect_header_error(ErrorCode::file_truncated, {"7 bytes"}, std::string(7, '\0'));
  const std::string header = json{{"w", entry("F32", {4}, 0, 16)}}.dump();
  EXPECT_NO_THROW(parse(safetensors(header, 16)));
  expect_header_error(ErrorCode::file_truncated, {"'w'", "16", "15"}, safetensors(header, 15));
  expect_header_error(ErrorCode::file_truncated, {"header", "only"}, safetensors(header, 16).substr(0, 20));
}

TEST(Safetensors, RefusesHeaderLengths) {
  expect_header_error(ErrorCode::file_truncated, {"100 bytes", "2 follow"}, little_endian_u64(100) + "{}");
  expect_header_error(ErrorCode::checkpoint_header, {"9223372036854775808"}, little_endian_u64(std::uint64_t{1} << 63) + "{}");
  expect_header_error(ErrorCode::checkpoint_header, {"18446744073709551615"}, little_endian_u64(~std::uint64_t{0}) + "{}");
  expect_header_error(ErrorCode::checkpoint_header, {"JSON"}, little_endian_u64(0));
  expect_header_error(ErrorCode::checkpoint_header, {"Git LFS"}, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
}

TEST(Safetensors, RefusesOverlappingTensors) {
  const auto file = [](std::uint64_t begin) {
    return safetensors(json{{"first", entry("F32", {4}, 0, 16)}, {"second", entry("F32", {4}, begin, begin + 16)}}.dump(), 32);
  };
  EXPECT_NO_THROW(parse(file(16)));
  expect_header_error(ErrorCode::checkpoint_header, {"'first'", "'second'", "overlap"}, file(15));
  expect_header_error(ErrorCode::checkpoint_header, {"overlap"}, file(0));
}

TEST(Safetensors, RefusesSizesThatContradictTheShape) {
  const auto one = [](const json& tensor) { return safetensors(json{{"w", tensor}}.dump(), 64); };
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "takes 16", "needs 8"}, one(entry("BF16", {4}, 0, 16)));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "after its end"}, one(entry("BF16", {4}, 16, 8)));
  // 2^31 * 2^31 * 2 elements of 4 bytes wrap to a small number of bits modulo 2^64.
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "64 bits"},
                      one(entry("F32", {std::int64_t{1} << 31, std::int64_t{1} << 31, 2}, 0, 0)));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'"}, one(entry("F32", {std::int64_t{1} << 62, 4}, 0, 0)));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "shape"}, one(entry("F32", {-1}, 0, 4)));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "dimensions"}, one(entry("F32", std::vector<std::int64_t>(9, 1), 0, 4)));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "whole bytes"}, one(entry("F4", {3}, 0, 1)));
}

TEST(Safetensors, RefusesMalformedHeaders) {
  const auto raw = [](const std::string& header) { return safetensors(header, 64); };
  const std::string w = entry("F32", {1}, 0, 4).dump();
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "twice"}, raw("{\"w\":" + w + ",\"w\":" + w + "}"));
  expect_header_error(ErrorCode::checkpoint_header, {"'dtype'", "twice"},
                      raw(R"({"w":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}})"));
  expect_header_error(ErrorCode::checkpoint_header, {"byte"}, raw("{\"w\":"));
  expect_header_error(ErrorCode::checkpoint_header, {"byte"}, raw("{\"\xff\xfe\":" + w + "}"));
  expect_header_error(ErrorCode::checkpoint_header, {"object"}, raw("[]"));
  expect_header_error(ErrorCode::checkpoint_header, {"NUL"}, raw(std::string("{}\0{}", 5)));
  expect_header_error(ErrorCode::checkpoint_header, {"deeper"},
                      raw("{\"w\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}"));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'"}, raw(R"({"w":7})"));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "data_offsets"},
                      raw(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})"));
  expect_header_error(ErrorCode::checkpoint_header, {"'w'", "data_offsets"},
                      raw(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}})"));
  expect_header_error(ErrorCode::checkpoint_header, {"range"}, raw(R"({"w":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}})"));
  expect_header_error(ErrorCode::checkpoint_header, {"__metadata__"}, raw(R"({"__metadata__":{"format":1}})"));
  expect_header_error(ErrorCode::checkpoint_dtype, {"'w'", "'F3'"}, raw(R"({"w":{"dtype":"F3","shape":[1],"data_offsets":[0,4]}})"));
}

TEST(Safetensors, ShortensHostileNamesInMessages) {
  const std::string name = std::string(100'000, 'n') + "\n";
  try {
    parse(safetensors(json{{name, entry("F32", {1}, 0, 8)}}.dump(), 8));
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 500u);
  }
}

TEST(Safetensors, ReadsReferenceValuesOfEveryKind) {
  const SafetensorsFile text(reference() / "slice" / "text.safetensors");
  const std::vector<std::int64_t> shape = read_integers(text.at("logits.shape"));
  ASSERT_EQ(shape.size(), 2u);
  EXPECT_EQ(shape[1], 128'256);
  EXPECT_EQ(read_doubles(text.at("logits.sums")).size(), 2u);
  EXPECT_EQ(read_integers(text.at("greedy_tokens")).size(), 4u);
  const std::vector<float> logits = read_floats(text.at("logits.sample"));
  EXPECT_EQ(logits.size(), 16'444u);
  for (const float logit : logits) ASSERT_TRUE(std::isfinite(logit));
  EXPECT_EQ(text.find("nothing"), nullptr);
  expect_error(ErrorCode::checkpoint_tensor, {"'nothing'", "text.safetensors"}, [&] { text.at("nothing"); });
}

TEST(Convert, HalfPrecisionIsExact) {
  EXPECT_EQ(f16_to_float(0x3C00), 1.0f);
  EXPECT_EQ(f16_to_float(0xC000), -2.0f);
  EXPECT_EQ(f16_to_float(0x7BFF), 65504.0f);
  EXPECT_EQ(f16_to_float(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_float(0x83FF), -1023 * 0x1p-24f);
  EXPECT_TRUE(std::signbit(f16_to_float(0x8000)));
  EXPECT_EQ(f16_to_float(0xFC00), -INFINITY);
  EXPECT_TRUE(std::isnan(f16_to_float(0x7E00)));
}

TEST(Convert, Bfloat16RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x10000; bits += 0x101) {
    const float value = bf16_to_float(static_cast<std::uint16_t>(bits));
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(float_to_bf16(value), bits);
  }
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3F808000u)), 0x3F80);  // tie to even, down
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3F818000u)), 0x3F82);  // tie to even, up
  EXPECT_EQ(float_to_bf16(std::bit_cast<float>(0x3F808001u)), 0x3F81);
}

// --- names ---------------------------------------------------------------------------------

TEST(TensorNames, AllSpellingsMeanTheSame) {
  EXPECT_EQ(canonical_name("language_model.model.layers.3.cross_attn.q_norm.weight"), "text.layers.3.cross_attn.q_norm.weight");
  EXPECT_EQ(canonical_name("model.language_model.layers.3.cross_attn.q_norm.weight"), "text.layers.3.cross_attn.q_norm.weight");
  EXPECT_EQ(canonical_name("model.layers.3.mlp.up_proj.weight"), "text.layers.3.mlp.up_proj.weight");
  EXPECT_EQ(canonical_name("language_model.lm_head.weight"), "text.lm_head.weight");
  EXPECT_EQ(canonical_name("lm_head.weight"), "text.lm_head.weight");
  EXPECT_EQ(canonical_name("vision_model.class_embedding"), "vision.class_embedding");
  EXPECT_EQ(canonical_name("model.vision_model.class_embedding"), "vision.class_embedding");
  EXPECT_EQ(canonical_name("multi_modal_projector.bias"), "projector.bias");
  EXPECT_EQ(canonical_name("model.multi_modal_projector.bias"), "projector.bias");
  EXPECT_EQ(canonical_name("greedy_logits"), "greedy_logits");
}

TEST(TensorNames, PublishedNamesComeBack) {
  const SafetensorsFile file(reference() / "tiny" / "model.safetensors");
  for (const TensorView& tensor : file.tensors()) {
    EXPECT_EQ(published_name(canonical_name(tensor.stored_name), false), tensor.stored_name);
  }
  for (const char* name : {"lm_head.weight", "model.norm.weight", "model.layers.0.mlp.up_proj.weight"}) {
    EXPECT_EQ(published_name(canonical_name(name), true), name);
  }
}

// --- checkpoints ---------------------------------------------------------------------------

TEST(Checkpoint, OpensThePublishedLayout) {
  const Checkpoint checkpoint = Checkpoint::open(reference() / "tiny");
  EXPECT_EQ(checkpoint.tensors().size(), 168u);
  EXPECT_EQ(checkpoint.names().size(), 168u);
  const TensorView& embedding = checkpoint.at("text.embed_tokens.weight");
  EXPECT_EQ(embedding.shape, (std::vector<std::int64_t>{328, 96}));
  EXPECT_EQ(embedding.dtype, DType::bf16);
  EXPECT_EQ(embedding.stored_name, "language_model.model.embed_tokens.weight");
  const std::vector<float> before = read_floats(embedding);
  checkpoint.release(embedding);
  EXPECT_EQ(read_floats(embedding), before);
  std::uint64_t bytes = 0;
  for (const TensorView& tensor : checkpoint.tensors()) bytes += tensor.bytes.size();
  EXPECT_EQ(checkpoint.total_bytes(), bytes);
  expect_error(ErrorCode::checkpoint_tensor, {"'text.absent'", "language_model.model.absent"}, [&] { checkpoint.at("text.absent"); });
}

/// Writes the tensors of `names` (stored spelling) out of `source` as a safetensors file, renamed by `rename`.
template <typename Rename>
void write_part(const fs::path& path, const SafetensorsFile& source, const std::vector<std::string>& names, Rename rename) {
  json header;
  std::string data;
  for (const std::string& name : names) {
    const TensorView& tensor = source.at(name);
    header[rename(name)] =
        entry(std::string(to_string(tensor.dtype)).c_str(), tensor.shape, data.size(), data.size() + tensor.bytes.size());
    data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  }
  write(path, little_endian_u64(header.dump().size()) + header.dump() + data);
}

std::string same_name(const std::string& name) { return name; }

/// The spelling of newer tools.
std::string newer_name(const std::string& name) {
  if (name.starts_with("language_model.model.")) return "model.language_model." + name.substr(21);
  if (name.starts_with("language_model.lm_head.")) return name.substr(15);
  return "model." + name;
}

void expect_equal(const Checkpoint& actual, const Checkpoint& expected) {
  ASSERT_EQ(actual.names(), expected.names());
  EXPECT_EQ(actual.total_bytes(), expected.total_bytes());
  for (const TensorView& tensor : expected.tensors()) {
    const TensorView& other = actual.at(tensor.name);
    EXPECT_EQ(other.shape, tensor.shape);
    ASSERT_EQ(other.bytes.size(), tensor.bytes.size());
    EXPECT_EQ(std::memcmp(other.bytes.data(), tensor.bytes.data(), tensor.bytes.size()), 0) << tensor.name;
  }
}

/// The tiny checkpoint as three shards with an index, to be damaged by the tests below.
class Shards : public testing::Test {
 protected:
  void SetUp() override {
    const SafetensorsFile source(reference() / "tiny" / "model.safetensors");
    std::vector<std::string> parts[3];
    for (std::size_t i = 0; i < source.tensors().size(); ++i) parts[i % 3].push_back(source.tensors()[i].stored_name);
    for (std::size_t part = 0; part < 3; ++part) {
      write_part(folder_ / file_names_[part], source, parts[part], same_name);
      for (const std::string& name : parts[part]) index_["weight_map"][name] = file_names_[part];
    }
    write_index();
  }

  void write_index() { write(folder_ / "model.safetensors.index.json", index_.dump()); }
  Checkpoint open() const { return Checkpoint::open(folder_.path()); }

  TemporaryFolder folder_;
  const std::string file_names_[3] = {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                      "model-00003-of-00003.safetensors"};
  json index_;
};

TEST_F(Shards, EqualTheSingleFile) { expect_equal(open(), Checkpoint::open(reference() / "tiny")); }

TEST_F(Shards, SurviveReleaseOfEveryTensor) {
  const Checkpoint checkpoint = open();
  for (const TensorView& tensor : checkpoint.tensors()) checkpoint.release(tensor);
  expect_equal(checkpoint, Checkpoint::open(reference() / "tiny"));
}

TEST_F(Shards, MissingOnesAreNamedWithTheirTensors) {
  fs::remove(folder_ / file_names_[1]);
  expect_error(ErrorCode::file_missing, {file_names_[1], "56 of 168"}, [&] { open(); });
  fs::remove(folder_ / file_names_[2]);
  expect_error(ErrorCode::file_missing, {file_names_[1], file_names_[2], "1 of 3 shards is here", "112 of 168"}, [&] { open(); });
}

TEST_F(Shards, AreFoundByTheirNamesWithoutAnIndex) {
  fs::remove(folder_ / "model.safetensors.index.json");
  expect_equal(open(), Checkpoint::open(reference() / "tiny"));
  // What trainers leave beside them is not read.
  write(folder_ / "optimizer.safetensors", "");
  write(folder_ / "adapter_model.safetensors", "");
  expect_equal(open(), Checkpoint::open(reference() / "tiny"));
  fs::remove(folder_ / file_names_[1]);
  expect_error(ErrorCode::file_missing, {"2 of 3 parts are here; '" + file_names_[1] + "' is missing."}, [&] { open(); });
}

TEST_F(Shards, AnIndexOfAnotherDownloadGivesWayToWholeShards) {
  index_["weight_map"] = {{"a", "model-00001-of-00005.safetensors"}};
  write_index();
  expect_equal(open(), Checkpoint::open(reference() / "tiny"));
  fs::remove(folder_ / file_names_[1]);
  expect_error(ErrorCode::file_missing, {"0 of 1 shard are here; 'model-00001-of-00005.safetensors' is missing"}, [&] { open(); });
}

TEST_F(Shards, MayLieBelowTheFolder) {
  fs::create_directories(folder_ / "weights");
  for (const std::string& name : file_names_) fs::rename(folder_ / name, folder_ / ("weights/" + name));
  for (auto& [tensor, file] : index_["weight_map"].items()) file = "./weights/" + file.get<std::string>();
  write_index();
  expect_equal(open(), Checkpoint::open(reference() / "tiny"));
}

TEST(Folder, WeightsAreToldByNames) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(weight_files({"a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors", "model.safetensors"}, "f"),
            Names{"model.safetensors"});
  // An older download that was left behind, not whole.
  EXPECT_EQ(weight_files({"model-00001-of-00005.safetensors", "x-00001-of-00001.safetensors"}, "f"), Names{"x-00001-of-00001.safetensors"});
  EXPECT_EQ(weight_files({"consolidated.safetensors", "optimizer.safetensors", "other.safetensors"}, "f"), Names{"other.safetensors"});
  // No parts: a number too large, of zero, of other widths.
  EXPECT_EQ(weight_files({"a-00003-of-00002.safetensors"}, "f"), Names{"a-00003-of-00002.safetensors"});
  EXPECT_FALSE(has_whole_parts({"a-00000-of-00000.safetensors", "a-1-of-1.safetensors", ".safetensors"}));
  expect_error(ErrorCode::file_missing,
               {"1 of 99999 parts is here", "'a-00001-of-99999.safetensors', 'a-00003-of-99999.safetensors'", "and 99995 more are missing"},
               [] { weight_files({"a-00002-of-99999.safetensors"}, "f"); });
  expect_error(ErrorCode::file_missing, {"nothing says", "'a.safetensors', 'b.safetensors'"},
               [] { weight_files({"b.safetensors", "a.safetensors"}, "f"); });
  expect_error(ErrorCode::checkpoint_unsupported, {"adapter (LoRA)"},
               [] { weight_files({"adapter_config.json", "adapter_model.safetensors"}, "f"); });
  expect_error(ErrorCode::checkpoint_unsupported, {"adapter (LoRA)"}, [] { weight_files({"adapters.safetensors"}, "f"); });
  expect_error(ErrorCode::checkpoint_unsupported, {"Meta's original format"},
               [] { weight_files({"consolidated.00.pth", "params.json"}, "f"); });
  expect_error(ErrorCode::checkpoint_unsupported, {"PyTorch"}, [] { weight_files({"pytorch_model-00001-of-00002.bin"}, "f"); });
}

TEST_F(Shards, IndexCannotLeaveTheFolder) {
  for (const char* name :
       {"../model.safetensors", "/etc/passwd", "..", ".", "", "sub/../../model.safetensors", "sub//model.safetensors",
        ".//model.safetensors", "./../model.safetensors", "a/b/c/d/e/f", "sub/", "..\\model.safetensors", "C:model.safetensors", "a\nb"}) {
    index_["weight_map"]["language_model.lm_head.weight"] = name;
    write_index();
    expect_error(ErrorCode::checkpoint_header, {"language_model.lm_head.weight", "not a file within the model folder"}, [&] { open(); });
  }
}

TEST_F(Shards, IndexMayNotPromiseTensorsThatAreNotThere) {
  index_["weight_map"]["language_model.model.layers.77.mlp.up_proj.weight"] = file_names_[0];
  write_index();
  expect_error(ErrorCode::checkpoint_tensor, {file_names_[0], "layers.77.mlp.up_proj"}, [&] { open(); });
}

TEST_F(Shards, MalformedIndexIsRefused) {
  for (const char* text : {"", "{}", "[]", R"({"weight_map":[]})", R"({"weight_map":{}})", R"({"weight_map":{"a":1}})",
                           R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})", "{\"weight_map\":{\"\xff\":\"x\"}}"}) {
    write(folder_ / "model.safetensors.index.json", text);
    expect_error(ErrorCode::checkpoint_header, {"model.safetensors.index.json"}, [&] { open(); });
  }
}

TEST_F(Shards, TruncatedShardIsNamed) {
  fs::resize_file(folder_ / file_names_[2], fs::file_size(folder_ / file_names_[2]) - 1);
  expect_error(ErrorCode::file_truncated, {file_names_[2]}, [&] { open(); });
}

TEST(Checkpoint, BothSpellingsGiveTheSameTensors) {
  const TemporaryFolder folder;
  const SafetensorsFile source(reference() / "tiny" / "model.safetensors");
  std::vector<std::string> names;
  for (const TensorView& tensor : source.tensors()) names.push_back(tensor.stored_name);
  write_part(folder / "model.safetensors", source, names, newer_name);
  const Checkpoint newer = Checkpoint::open(folder.path());
  EXPECT_EQ(newer.at("vision.class_embedding").stored_name, "model.vision_model.class_embedding");
  expect_equal(newer, Checkpoint::open(reference() / "tiny"));
}

TEST(Checkpoint, WrappersAroundAllNamesAreTakenOff) {
  const SafetensorsFile source(reference() / "tiny" / "model.safetensors");
  std::vector<std::string> names;
  for (const TensorView& tensor : source.tensors()) names.push_back(tensor.stored_name);
  const Checkpoint expected = Checkpoint::open(reference() / "tiny");
  for (const std::string wrapper :
       {"module.", "_orig_mod.", "base_model.model.", "module._orig_mod.", "base_model.model.module.", "model."}) {
    const TemporaryFolder folder;
    write_part(folder / "model.safetensors", source, names, [&](const std::string& name) { return wrapper + name; });
    expect_equal(Checkpoint::open(folder.path()), expected);
    // Not where one name lacks it: then it means something else.
    if (wrapper == "model.") continue;
    write_part(folder / "model.safetensors", source, names,
               [&](const std::string& name) { return name == names[3] ? name : wrapper + name; });
    EXPECT_EQ(Checkpoint::open(folder.path()).find("text.lm_head.weight"), nullptr);
  }
}

TEST(Checkpoint, TwoSpellingsOfOneTensorAreRefused) {
  const std::string file = safetensors(
      json{{"lm_head.weight", entry("BF16", {2}, 0, 4)}, {"language_model.lm_head.weight", entry("BF16", {2}, 4, 8)}}.dump(), 8);
  expect_error(ErrorCode::checkpoint_header, {"'lm_head.weight'", "two spellings"},
               [&] { Checkpoint::from_bytes(as_bytes(file), "twice"); });
}

TEST(Checkpoint, FolderWithoutWeightsIsNamed) {
  const TemporaryFolder folder;
  expect_error(ErrorCode::file_missing, {folder.path().filename().string(), "model.safetensors"}, [&] { Checkpoint::open(folder.path()); });
  expect_error(ErrorCode::file_missing, {"nowhere"}, [&] { Checkpoint::open(folder / "nowhere"); });
}

// --- synthetic weights ---------------------------------------------------------------------

TEST(Synthetic, ReproducesTheReferenceCheckpointBitByBit) {
  const ModelConfig config = load_model_config(reference() / "tiny");
  const Checkpoint checkpoint = Checkpoint::open(reference() / "tiny");
  for (const TensorView& tensor : checkpoint.tensors()) {
    const SyntheticTensor synthetic(tensor.stored_name, tensor.shape, 1, config.vision->supported_aspect_ratios,
                                    config.vision->max_num_tiles);
    ASSERT_EQ(synthetic.elements(), tensor.elements());
    std::vector<std::uint16_t> values(static_cast<std::size_t>(synthetic.elements()));
    // In two pieces at an odd place: any part can be computed alone.
    const std::size_t cut = values.size() / 3;
    synthetic.fill(0, std::span(values).first(cut));
    synthetic.fill(static_cast<std::int64_t>(cut), std::span(values).subspan(cut));
    ASSERT_EQ(tensor.bytes.size(), values.size() * 2);
    EXPECT_EQ(std::memcmp(tensor.bytes.data(), values.data(), tensor.bytes.size()), 0) << tensor.stored_name;
  }
}

TEST(Synthetic, OtherSeedGivesOtherValues) {
  std::vector<std::uint16_t> first(64), second(64);
  SyntheticTensor("multi_modal_projector.bias", {64}, 1, {}, 1).fill(0, first);
  SyntheticTensor("multi_modal_projector.bias", {64}, 2, {}, 1).fill(0, second);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace loupe
