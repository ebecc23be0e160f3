#include "weights/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "weights/describe.h"

namespace loupe {
namespace {

// An order of magnitude above the largest that are known: a vocabulary of 2^18 tokens with its merges.
constexpr std::uint64_t max_entries = 1 << 14;
constexpr std::uint64_t max_tensors = 1 << 16;
constexpr std::uint64_t max_list_elements = 1 << 21;
constexpr std::uint64_t max_name_bytes = 1 << 12;
constexpr std::uint64_t max_alignment = 1 << 20;
constexpr std::uint32_t max_rank = 4;  // the format's own limit
constexpr std::uint64_t usual_alignment = 32;

constexpr const char* download_again = "The file is damaged; download it again.";
constexpr const char* download_incomplete = "The download is incomplete; resume it or download the file again.";

struct TensorType {
  std::uint32_t number;
  const char* name;
  std::optional<DType> dtype;  ///< empty: known, and not run by this engine
};

constexpr TensorType tensor_types[] = {
    {0, "F32", DType::f32},        {1, "F16", DType::f16},       {2, "Q4_0", DType::q4_0},      {3, "Q4_1", DType::q4_1},
    {6, "Q5_0", DType::q5_0},      {7, "Q5_1", DType::q5_1},     {8, "Q8_0", DType::q8_0},      {9, "Q8_1", std::nullopt},
    {10, "Q2_K", DType::q2_k},     {11, "Q3_K", DType::q3_k},    {12, "Q4_K", DType::q4_k},     {13, "Q5_K", DType::q5_k},
    {14, "Q6_K", DType::q6_k},     {15, "Q8_K", std::nullopt},   {16, "IQ2_XXS", std::nullopt}, {17, "IQ2_XS", std::nullopt},
    {18, "IQ3_XXS", std::nullopt}, {19, "IQ1_S", std::nullopt},  {20, "IQ4_NL", std::nullopt},  {21, "IQ3_S", std::nullopt},
    {22, "IQ2_S", std::nullopt},   {23, "IQ4_XS", std::nullopt}, {24, "I8", std::nullopt},      {25, "I16", std::nullopt},
    {26, "I32", std::nullopt},     {27, "I64", std::nullopt},    {28, "F64", std::nullopt},     {29, "IQ1_M", std::nullopt},
    {30, "BF16", DType::bf16},     {34, "TQ1_0", std::nullopt},  {35, "TQ2_0", std::nullopt},   {39, "MXFP4", std::nullopt},
};

std::uint64_t bytes_of(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean: return 1;
    case GgufType::u16:
    case GgufType::i16: return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32: return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64: return 8;
    case GgufType::text:
    case GgufType::list: break;
  }
  return 0;
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

/// Walks through the header; every step is checked against the end of the file.
class Reader {
 public:
  Reader(std::span<const std::byte> file, std::string name) : file_(file), name_(std::move(name)) {}

  std::span<const std::byte> take(std::uint64_t count, const char* what) {
    if (count > file_.size() - at_) {
      throw Error(ErrorCode::file_truncated,
                  name_ + ": " + what + " at byte " + std::to_string(at_) + " needs " + std::to_string(count) + " bytes; the file holds " +
                      std::to_string(file_.size()) + ".",
                  download_incomplete);
    }
    const std::span<const std::byte> taken = file_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return taken;
  }
  std::uint32_t u32(const char* what) { return static_cast<std::uint32_t>(little_endian(take(4, what))); }
  std::uint64_t u64(const char* what) { return little_endian(take(8, what)); }
  std::span<const std::byte> text(const char* what) { return take(u64(what), what); }

  /// A key or a tensor's name.
  std::string name(const char* what) {
    const std::uint64_t length = u64(what);
    if (length == 0 || length > max_name_bytes)
      fail(std::string(what) + " before byte " + std::to_string(at_) + " has " + std::to_string(length) + " characters.");
    const std::span<const std::byte> bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  [[noreturn]] void fail(const std::string& words) const {
    throw Error(ErrorCode::checkpoint_header, name_ + ": " + words, download_again);
  }

  std::uint64_t position() const { return at_; }
  const std::string& file_name() const { return name_; }

 private:
  std::span<const std::byte> file_;
  std::size_t at_ = 0;
  std::string name_;
};

GgufType read_type(Reader& in, const std::string& key) {
  const std::uint32_t number = in.u32("a value's type");
  if (number > static_cast<std::uint32_t>(GgufType::f64))
    in.fail("the entry " + in_quotes(key) + " has the unknown type " + std::to_string(number) + ".");
  return static_cast<GgufType>(number);
}

GgufValue read_list(Reader& in, const std::string& key) {
  GgufValue value;
  value.type = GgufType::list;
  value.element = read_type(in, key);
  if (value.element == GgufType::list) in.fail("the entry " + in_quotes(key) + " is a list of lists, which no model has.");
  value.count = in.u64("a list's length");
  if (value.count > max_list_elements) {
    in.fail("the entry " + in_quotes(key) + " announces " + std::to_string(value.count) + " elements; at most " +
            std::to_string(max_list_elements) + " are plausible.");
  }
  if (value.element != GgufType::text) {
    value.bytes = in.take(value.count * bytes_of(value.element), "a list");
    return value;
  }
  const std::span<const std::byte> nothing = in.take(0, "a list");
  const std::uint64_t begin = in.position();
  for (std::uint64_t i = 0; i < value.count; ++i) in.text("a text in a list");
  value.bytes = {nothing.data(), static_cast<std::size_t>(in.position() - begin)};
  return value;
}

GgufValue read_value(Reader& in, const std::string& key) {
  const GgufType type = read_type(in, key);
  if (type == GgufType::list) return read_list(in, key);
  GgufValue value;
  value.type = type;
  value.bytes = type == GgufType::text ? in.text("a text") : in.take(bytes_of(type), "a value");
  return value;
}

GgufMetadata read_metadata(Reader& in, std::uint64_t count) {
  GgufMetadata metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = in.name("a key");
    GgufValue value = read_value(in, key);
    if (!metadata.emplace(key, value).second) in.fail("the key " + in_quotes(key) + " appears twice.");
  }
  return metadata;
}

std::uint64_t alignment_of(const Reader& in, const GgufMetadata& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return usual_alignment;
  const std::optional<std::int64_t> value = found->second.as_integer();
  if (!value || *value < 1 || static_cast<std::uint64_t>(*value) > max_alignment ||
      !std::has_single_bit(static_cast<std::uint64_t>(*value))) {
    in.fail("general.alignment is not a power of two up to " + std::to_string(max_alignment) + ".");
  }
  return static_cast<std::uint64_t>(*value);
}

DType read_dtype(Reader& in, const std::string& tensor) {
  const std::uint32_t number = in.u32("a tensor's type");
  const auto* found =
      std::find_if(std::begin(tensor_types), std::end(tensor_types), [&](const TensorType& type) { return type.number == number; });
  const std::string place = in.file_name() + ": tensor " + in_quotes(tensor) + " has ";
  if (found == std::end(tensor_types))
    throw Error(ErrorCode::checkpoint_dtype, place + "the unknown type " + std::to_string(number) + ".",
                "Update Loupe, or use a copy in Q4_K_M or Q8_0.");
  if (!found->dtype)
    throw Error(ErrorCode::checkpoint_dtype, place + "the type " + found->name + ", which this engine does not run.",
                "Use a copy of the model in Q4_K_M, Q6_K or Q8_0.");
  return *found->dtype;
}

struct PlacedTensor {
  TensorView tensor;
  std::uint64_t offset;
  std::uint64_t size;
};

PlacedTensor read_tensor(Reader& in) {
  TensorView tensor;
  tensor.name = in.name("a tensor's name");
  tensor.stored_name = tensor.name;
  const std::string place = "tensor " + in_quotes(tensor.name);
  const std::uint32_t rank = in.u32("a tensor's rank");
  if (rank > max_rank)
    in.fail(place + " has " + std::to_string(rank) + " dimensions; at most " + std::to_string(max_rank) + " are allowed.");
  std::optional<std::uint64_t> elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const std::uint64_t size = in.u64("a tensor's size");
    if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      in.fail(place + " has a dimension of " + std::to_string(size) + ".");
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
    if (elements) elements = checked_product(*elements, size);
  }
  tensor.dtype = read_dtype(in, tensor.name);
  const DTypeInfo& type = info(tensor.dtype);
  // A factor of 64 in reserve for the bits of the block itself.
  if (!elements || *elements > (std::uint64_t{1} << 56))
    in.fail(place + " has the shape " + shape_text(tensor.shape) + ", more than fits a file.");
  const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % type.block != 0) {
    in.fail(place + " has rows of " + std::to_string(row) + " elements, no whole number of " + std::string(type.name) + " blocks of " +
            std::to_string(type.block) + ".");
  }
  return {std::move(tensor), in.u64("a tensor's offset"), stored_bytes(type.dtype, *elements)};
}

void require_magic(std::span<const std::byte> file, const std::string& name) {
  if (is_gguf(file)) return;
  const std::string_view text(reinterpret_cast<const char*>(file.data()), std::min<std::size_t>(file.size(), 64));
  if (text.starts_with("version https://git-lfs")) {
    throw Error(ErrorCode::checkpoint_header, name + " is a Git LFS pointer, not the weights themselves.",
                "Run `git lfs pull` in the model folder.");
  }
  if (std::string_view("GGUF").starts_with(text)) {
    throw Error(ErrorCode::file_truncated, name + " has " + count_of(file.size(), "byte") + "; a GGUF file begins with 24.",
                download_incomplete);
  }
  throw Error(ErrorCode::checkpoint_header, name + " does not begin with GGUF: it is not a GGUF file.",
              "Choose a .gguf file, or a folder with config.json and *.safetensors.");
}

void require_version(Reader& in) {
  const std::uint32_t version = in.u32("the version");
  if (version == 2 || version == 3) return;
  const bool swapped = version == 0x02000000 || version == 0x03000000;
  throw Error(ErrorCode::checkpoint_unsupported,
              in.file_name() + (swapped ? " is written for big-endian machines."
                                        : " is GGUF version " + std::to_string(version) + "; this engine reads 2 and 3."),
              "Download a current GGUF file of the model.");
}

std::uint64_t read_count(Reader& in, const char* what, std::uint64_t limit) {
  const std::uint64_t count = in.u64("a count");
  if (count > limit)
    in.fail("it announces " + std::to_string(count) + " " + what + "; at most " + std::to_string(limit) + " are plausible.");
  return count;
}

/// Parts of a split file that were joined byte by byte: the next one begins where the first should end.
void refuse_joined(std::span<const std::byte> file, const std::string& name, std::uint64_t data_begin,
                   const std::vector<TensorView>& tensors, std::uint64_t alignment) {
  std::uint64_t end = data_begin;
  for (const TensorView& tensor : tensors) {
    if (!tensor.bytes.empty()) end = std::max(end, static_cast<std::uint64_t>(tensor.bytes.data() - file.data()) + tensor.bytes.size());
  }
  for (const std::uint64_t at : {end, (end + alignment - 1) / alignment * alignment}) {
    if (at >= file.size() || file.size() - at < 24 || !is_gguf(file.subspan(static_cast<std::size_t>(at)))) continue;
    throw Error(ErrorCode::checkpoint_unsupported,
                name + " holds a second GGUF file behind its first: parts of a split model that were joined byte by byte.",
                "Put the parts as they were downloaded into one folder and name the first, or join them with llama-gguf-split --merge.");
  }
}

}  // namespace

std::optional<std::string_view> GgufValue::as_text() const {
  if (type != GgufType::text) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::int64_t> GgufValue::as_integer() const {
  const std::uint64_t raw = bytes.size() <= 8 ? little_endian(bytes) : 0;
  switch (type) {
    case GgufType::u8:
    case GgufType::u16:
    case GgufType::u32: return static_cast<std::int64_t>(raw);
    case GgufType::u64:
      return raw <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ? std::optional(static_cast<std::int64_t>(raw))
                                                                                         : std::nullopt;
    case GgufType::i8: return static_cast<std::int8_t>(raw);
    case GgufType::i16: return static_cast<std::int16_t>(raw);
    case GgufType::i32: return static_cast<std::int32_t>(raw);
    case GgufType::i64: return static_cast<std::int64_t>(raw);
    case GgufType::f32:
    case GgufType::f64:
    case GgufType::boolean:
    case GgufType::text:
    case GgufType::list: break;
  }
  return std::nullopt;
}

std::optional<double> GgufValue::as_number() const {
  if (type == GgufType::f32) return std::bit_cast<float>(static_cast<std::uint32_t>(little_endian(bytes)));
  if (type == GgufType::f64) return std::bit_cast<double>(little_endian(bytes));
  const std::optional<std::int64_t> integer = as_integer();
  return integer ? std::optional(static_cast<double>(*integer)) : std::nullopt;
}

std::optional<bool> GgufValue::as_boolean() const {
  if (type != GgufType::boolean) return std::nullopt;
  return std::to_integer<int>(bytes[0]) != 0;
}

void GgufValue::for_each(const std::function<void(const GgufValue&)>& use) const {
  if (type != GgufType::list) return use(*this);
  GgufValue one;
  one.type = element;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::size_t length = static_cast<std::size_t>(bytes_of(element));
    if (element == GgufType::text) {
      length = static_cast<std::size_t>(little_endian(bytes.subspan(at, 8)));
      at += 8;
    }
    one.bytes = bytes.subspan(at, length);
    at += length;
    use(one);
  }
}

bool is_gguf(std::span<const std::byte> file) { return file.size() >= 4 && std::memcmp(file.data(), "GGUF", 4) == 0; }

GgufContents parse_gguf(std::span<const std::byte> file, std::string_view file_name) {
  const std::string name(file_name);
  require_magic(file, name);
  Reader in(file, name);
  in.take(4, "the magic");
  require_version(in);
  const std::uint64_t tensor_count = read_count(in, "tensors", max_tensors);
  const std::uint64_t entry_count = read_count(in, "entries", max_entries);

  GgufContents contents;
  contents.metadata = read_metadata(in, entry_count);
  const std::uint64_t alignment = alignment_of(in, contents.metadata);
  std::vector<PlacedTensor> placed;
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    placed.push_back(read_tensor(in));
    if (!names.insert(placed.back().tensor.name).second) in.fail("the tensor " + in_quotes(placed.back().tensor.name) + " appears twice.");
  }

  const std::uint64_t data_begin = (in.position() + alignment - 1) / alignment * alignment;
  const std::uint64_t data_size = data_begin <= file.size() ? file.size() - data_begin : 0;
  for (PlacedTensor& one : placed) {
    const std::string place = name + ": tensor " + in_quotes(one.tensor.name) + " ";
    if (one.offset % alignment != 0) {
      throw Error(ErrorCode::checkpoint_header,
                  place + "begins at " + std::to_string(one.offset) + ", no multiple of " + std::to_string(alignment) + ".",
                  download_again);
    }
    if (one.offset > data_size || one.size > data_size - one.offset) {
      throw Error(ErrorCode::file_truncated,
                  place + "takes " + std::to_string(one.size) + " bytes from byte " + std::to_string(one.offset) +
                      " of the data; the file holds " + std::to_string(data_size) + ".",
                  download_incomplete);
    }
    one.tensor.bytes = file.subspan(static_cast<std::size_t>(std::min(data_begin, std::uint64_t{file.size()}) + one.offset),
                                    static_cast<std::size_t>(one.size));
    contents.tensors.push_back(std::move(one.tensor));
  }
  sort_and_refuse_overlaps(name, contents.tensors);
  refuse_joined(file, name, std::min<std::uint64_t>(data_begin, file.size()), contents.tensors, alignment);
  return contents;
}

std::uint32_t gguf_type_number(DType dtype) {
  for (const TensorType& type : tensor_types) {
    if (type.dtype == dtype) return type.number;
  }
  throw Error(ErrorCode::internal, "GGUF has no number for " + std::string(to_string(dtype)) + ".");
}

}  // namespace loupe
