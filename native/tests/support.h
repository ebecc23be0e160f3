#pragma once
// What the tests on a device share: one device for the whole binary, and the way of host numbers there and back.
//
//   LOUPE_DEVICE      index or part of a name of the device to test (default: the best one)
//   LOUPE_SHADERS     folder of compiled shaders (default: where the build put them)
//   LOUPE_VALIDATION  1 = with the Vulkan validation layer; the run then fails if it reported any error

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/graph.h"
#include "ops/scalar.h"

namespace loupe::test {

using scalar::Floats;

/// The device under test. Made on first use and destroyed after the last test.
struct Engine {
  std::shared_ptr<vk::Instance> instance;
  std::unique_ptr<vk::Device> device;
  std::unique_ptr<vk::Memory> memory;
  std::unique_ptr<vk::Pipelines> pipelines;
};
Engine& engine();
std::string shader_directory();

/// `value` as it comes back from storage of that type.
float rounded(float value, DType dtype);
Floats rounded(const Floats& values, DType dtype);

/// Largest |actual - expected| that passes, relative to the largest |expected| (a row's terms may cancel, and
/// what remains then carries the error of the terms).
struct Tolerance {
  double relative;
};
/// Float32 sums of up to some thousand terms in another order than the twin's sums in double.
constexpr Tolerance f32_sums{1e-5};
/// One or two roundings, and exp / sqrt / division of up to 3 ulp that Vulkan grants.
constexpr Tolerance f32_elements{2e-6};

/// One failure with the worst element and how many are off.
void expect_close(const Floats& actual, const Floats& expected, Tolerance tolerance, const std::string& what);
/// Bit for bit; for ops that only move numbers.
void expect_same(const Floats& actual, const Floats& expected, const std::string& what);

/// A test of ops: an immediate recorder, an arena whose memory holds NaNs, and buffers that live until the test ends.
class DeviceTest : public ::testing::Test {
 protected:
  DeviceTest();
  ~DeviceTest() override;

  /// Exactly the bytes given, bound without slack.
  vk::Slice bytes(const void* data, uint64_t size);
  vk::Slice words(const std::vector<uint32_t>& values) { return bytes(values.data(), values.size() * 4); }
  /// Host-visible words that a test may change between replays.
  uint32_t* shared_words(uint32_t count, vk::Slice& slice);

  /// [rows, stride] with `pad` beyond the columns of `values`; the tensor begins `skipped_rows` into its buffer.
  Tensor input(uint32_t rows, uint32_t cols, const Floats& values, uint32_t stride = 0, uint32_t skipped_rows = 0, float pad = 7);
  Tensor row(const Floats& values) { return input(1, static_cast<uint32_t>(values.size()), values); }
  /// A tensor between two guard rows, all set to `initial`. `read` fails the test if a guard was written.
  Tensor output(uint32_t rows, uint32_t cols, float initial = sentinel);
  Tensor output(uint32_t rows, uint32_t cols, const Floats& initial);
  /// Submits what is recorded, waits, and fetches.
  Floats read(const Tensor& tensor);
  std::vector<uint32_t> read_words(const vk::Slice& slice, uint32_t count);

  /// `values` are rounded in place to what the matrix stores. Blocks of `block_rows` (a multiple of 64; 0 = one block).
  Matrix matrix(uint32_t rows, uint32_t cols, DType dtype, Floats& values, uint32_t block_rows = 0);
  /// `stored` holds the rows as a file does.
  Matrix matrix_of(uint32_t rows, uint32_t cols, DType dtype, const std::vector<std::byte>& stored, uint32_t block_rows = 0);
  /// Rows beyond those of `keys` hold NaN, so that reading them shows; `keys` and `values` are rounded in place.
  KvCache cache(uint32_t capacity, uint32_t width, bool half, Floats& keys, Floats& values);
  Floats read_cache(const vk::Buffer& buffer, const KvCache& cache);

  static constexpr float sentinel = -12345.5f;

  vk::Memory& memory;
  vk::Recorder recorder;
  Arena arena;
  Graph g;

 private:
  vk::Buffer buffer(const void* data, uint64_t size);
  struct Guarded {
    Tensor all;
    VkBuffer buffer;
    uint64_t begin;  ///< bytes of the inner tensor's first element
  };
  std::vector<vk::Buffer> kept_;
  std::vector<Guarded> guarded_;
};

}  // namespace loupe::test
