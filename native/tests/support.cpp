#include "support.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "graph/row_layout.h"
#include "weights/convert.h"

namespace loupe::test {
namespace {

std::unique_ptr<Engine> shared_engine;

std::string environment(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

/// Destroys the device while the validation layer can still report what was not destroyed.
class DeviceEnvironment : public ::testing::Environment {
 public:
  void TearDown() override {
    if (!shared_engine) return;
    const std::shared_ptr<vk::Instance> instance = shared_engine->instance;
    shared_engine->pipelines.reset();
    shared_engine->memory.reset();
    shared_engine->device.reset();
    shared_engine.reset();
    EXPECT_EQ(instance->validation_errors(), 0u) << "The validation layer reported errors; they are above.";
  }
};
[[maybe_unused]] ::testing::Environment* const registered = ::testing::AddGlobalTestEnvironment(new DeviceEnvironment);

}  // namespace

std::string shader_directory() { return environment("LOUPE_SHADERS", LOUPE_SHADERS_DIR); }

Engine& engine() {
  if (shared_engine) return *shared_engine;
  auto made = std::make_unique<Engine>();
  const bool validation = environment("LOUPE_VALIDATION", "0") == "1";
  made->instance = std::make_shared<vk::Instance>(validation);
  made->device = std::make_unique<vk::Device>(made->instance, made->instance->choose(environment("LOUPE_DEVICE", "")));
  made->memory = std::make_unique<vk::Memory>(*made->device, 0);
  made->pipelines = std::make_unique<vk::Pipelines>(*made->device, shader_directory(), "");
  const vk::DeviceInfo& info = made->device->info();
  std::printf("Device: %s (%s), subgroups of %u, %zu matrix shapes, validation %s\n", info.name.c_str(), info.driver.c_str(),
              info.subgroup_size, info.matrix_shapes.size(), validation ? "on" : "off");
  shared_engine = std::move(made);
  return *shared_engine;
}

float rounded(float value, DType dtype) {
  switch (dtype) {
    case DType::f16: return f16_to_float(float_to_f16(value));
    case DType::bf16: return bf16_to_float(float_to_bf16(value));
    default: return value;
  }
}

Floats rounded(const Floats& values, DType dtype) {
  Floats out;
  for (float value : values) out.push_back(rounded(value, dtype));
  return out;
}

void expect_close(const Floats& actual, const Floats& expected, Tolerance tolerance, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0;
  for (float value : expected) largest = std::max(largest, std::fabs(static_cast<double>(value)));
  const double allowed = tolerance.relative * std::max(largest, 1e-3);
  size_t worst = 0, wrong = 0;
  double worst_error = -1;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::isnan(actual[i]) ? INFINITY : std::fabs(static_cast<double>(actual[i]) - expected[i]);
    wrong += !(error <= allowed);
    if (error > worst_error) {
      worst = i;
      worst_error = error;
    }
  }
  EXPECT_EQ(wrong, 0u) << what << ": of " << actual.size() << " elements; the worst, " << worst << ", is " << actual[worst]
                       << " instead of " << expected[worst] << ", allowed error " << allowed;
}

void expect_same(const Floats& actual, const Floats& expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i)
    if (std::bit_cast<uint32_t>(actual[i]) != std::bit_cast<uint32_t>(expected[i])) {
      ADD_FAILURE() << what << ": element " << i << " is " << actual[i] << " instead of " << expected[i];
      return;
    }
}

DeviceTest::DeviceTest()
    : memory(*engine().memory),
      recorder(*engine().device, vk::Recorder::Mode::immediate),
      arena(memory),
      g{*engine().device, memory, *engine().pipelines, recorder, arena} {
  // Whoever reads scratch memory that nobody wrote shall get NaNs.
  Arena::Scope scope(arena);
  recorder.fill(arena.take(1 << 20), 0x7FC00000);
}

DeviceTest::~DeviceTest() {
  try {
    recorder.sync();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

vk::Buffer DeviceTest::buffer(const void* data, uint64_t size) {
  vk::Buffer staging = memory.allocate(size, vk::Intent::upload), made = memory.allocate(size, vk::Intent::activations);
  std::memcpy(staging.mapped(), data, size);
  recorder.copy(staging.slice(), made.slice());
  kept_.push_back(std::move(staging));
  return made;
}

vk::Slice DeviceTest::bytes(const void* data, uint64_t size) {
  kept_.push_back(buffer(data, size));
  return kept_.back().slice().part(0, round_up(static_cast<uint32_t>(size), 4));
}

uint32_t* DeviceTest::shared_words(uint32_t count, vk::Slice& slice) {
  kept_.push_back(memory.allocate(count * 4, vk::Intent::upload));
  slice = kept_.back().slice();
  return kept_.back().mapped<uint32_t>();
}

Tensor DeviceTest::input(uint32_t rows, uint32_t cols, const Floats& values, uint32_t stride, uint32_t skipped_rows, float pad) {
  stride = std::max(stride, cols);
  Floats padded(static_cast<size_t>(skipped_rows + rows) * stride, pad);
  for (uint32_t r = 0; r < rows; ++r)
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(r) * cols, cols,
                padded.begin() + static_cast<std::ptrdiff_t>(skipped_rows + r) * stride);
  const Tensor all{bytes(padded.data(), padded.size() * 4), skipped_rows + rows, stride, 0};
  return skipped_rows ? all.view(skipped_rows, rows) : all;
}

Tensor DeviceTest::output(uint32_t rows, uint32_t cols, float initial) {
  return output(rows, cols, Floats(static_cast<size_t>(rows) * cols, initial));
}

Tensor DeviceTest::output(uint32_t rows, uint32_t cols, const Floats& initial) {
  Floats values(cols, sentinel);
  values.insert(values.end(), initial.begin(), initial.end());
  values.resize(values.size() + cols, sentinel);
  const Tensor all{bytes(values.data(), values.size() * 4), rows + 2, cols, 0};
  Tensor inner = all.view(1, rows);
  inner.slice.size += cols * 4;  // the guard is within the binding, for drivers drop what is written beyond
  guarded_.push_back({all, inner.slice.buffer, inner.slice.offset + inner.offset * 4});
  return inner;
}

Floats DeviceTest::read(const Tensor& tensor) {
  const Guarded* guard = nullptr;
  for (const Guarded& candidate : guarded_)
    if (candidate.buffer == tensor.slice.buffer && candidate.begin == tensor.slice.offset + tensor.offset * 4) guard = &candidate;
  const Tensor& all = guard ? guard->all : tensor;
  const size_t count = static_cast<size_t>(all.rows) * all.cols;
  const vk::Buffer host = memory.allocate((all.offset + count) * 4, vk::Intent::readback);
  recorder.copy(all.slice.part(0, (all.offset + count) * 4), host.slice());
  recorder.sync();
  const float* from = host.mapped<float>() + all.offset;
  if (!guard) return {from, from + count};
  const size_t inner = static_cast<size_t>(tensor.rows) * tensor.cols;
  for (size_t i = 0; i < all.cols; ++i) {
    EXPECT_EQ(from[i], sentinel) << "element " << static_cast<int64_t>(i) - all.cols << " before the output was written";
    EXPECT_EQ(from[all.cols + inner + i], sentinel) << "element " << i << " behind the output was written";
  }
  return {from + all.cols, from + all.cols + inner};
}

std::vector<uint32_t> DeviceTest::read_words(const vk::Slice& slice, uint32_t count) {
  const vk::Buffer host = memory.allocate(count * 4, vk::Intent::readback);
  recorder.copy(slice.part(0, count * 4), host.slice());
  recorder.sync();
  return {host.mapped<uint32_t>(), host.mapped<uint32_t>() + count};
}

Matrix DeviceTest::matrix(uint32_t rows, uint32_t cols, DType dtype, Floats& values, uint32_t block_rows) {
  values = rounded(values, dtype);
  std::vector<std::byte> stored(stored_bytes(dtype, values.size()));
  write_floats(values, dtype, stored);
  return matrix_of(rows, cols, dtype, stored, block_rows);
}

Matrix DeviceTest::matrix_of(uint32_t rows, uint32_t cols, DType dtype, const std::vector<std::byte>& stored, uint32_t block_rows) {
  Matrix made{rows, cols, round_up(cols, 8), {}};
  const uint64_t stored_row = stored_bytes(dtype, cols), row_bytes = device_row_bytes(device_type(dtype), made.stride);
  block_rows = block_rows ? block_rows : rows;
  for (uint32_t first = 0; first < rows; first += block_rows) {
    const uint32_t count = std::min(block_rows, rows - first);
    std::vector<std::byte> packed(count * row_bytes, std::byte{0xA5});
    for (uint32_t r = 0; r < count; ++r)
      pack_row(dtype, std::span(stored).subspan((first + r) * stored_row, stored_row), cols,
               std::span(packed).subspan(r * row_bytes, row_bytes));
    made.blocks.push_back({buffer(packed.data(), packed.size()), first, count, device_type(dtype)});
  }
  return made;
}

KvCache DeviceTest::cache(uint32_t capacity, uint32_t width, bool half, Floats& keys, Floats& values) {
  KvCache made;
  made.half = half;
  made.capacity = capacity;
  made.width = width;
  auto store = [&](Floats& numbers) {
    numbers = rounded(numbers, half ? DType::f16 : DType::f32);
    Floats all = numbers;
    all.resize(static_cast<size_t>(capacity) * width, NAN);
    if (!half) return buffer(all.data(), all.size() * 4);
    std::vector<uint16_t> halves;
    for (float number : all) halves.push_back(float_to_f16(number));
    return buffer(halves.data(), halves.size() * 2);
  };
  made.keys = store(keys);
  made.values = store(values);
  return made;
}

Floats DeviceTest::read_cache(const vk::Buffer& buffer, const KvCache& cache) {
  const uint32_t count = cache.capacity * cache.width;
  Floats out;
  if (cache.half) {
    for (uint32_t word : read_words(buffer.slice(), count / 2))
      for (uint16_t half : {static_cast<uint16_t>(word), static_cast<uint16_t>(word >> 16)}) out.push_back(f16_to_float(half));
  } else {
    for (uint32_t word : read_words(buffer.slice(), count)) out.push_back(std::bit_cast<float>(word));
  }
  return out;
}

}  // namespace loupe::test
