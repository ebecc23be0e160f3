#include "ops/self_test.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <span>

#include "base/error.h"
#include "graph/row_layout.h"
#include "ops/scalar.h"
#include "weights/dequantise.h"
#include "weights/quantise.h"

namespace loupe {
namespace {

using scalar::Floats;

/// Sums in another order, in float32: what every driver meets.
constexpr double exact_tolerance = 2e-5;
/// Inputs rounded to 11 bits.
constexpr double half_tolerance = 2e-3;

class Bench {
 public:
  Bench(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations)
      : memory_(memory), arena_(memory), recorder_(device, vk::Recorder::Mode::immediate), graph{device,    memory, pipelines,
                                                                                                 recorder_, arena_, activations} {}
  ~Bench() { recorder_.abandon(); }

  /// Deterministic numbers in [-1, 1).
  Floats random(size_t count) {
    Floats values(count);
    for (float& value : values) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      value = static_cast<float>(state_ >> 40) * 0x1p-23f - 1.0f;
    }
    return values;
  }

  Tensor upload(const Floats& values, uint32_t cols) {
    return {slice_of(values.data(), values.size() * 4), static_cast<uint32_t>(values.size() / cols), cols, 0};
  }
  Tensor zeros(uint32_t rows, uint32_t cols) { return upload(Floats(static_cast<size_t>(rows) * cols, 0.0f), cols); }

  Matrix matrix(const Floats& values, uint32_t cols) {
    Matrix m{static_cast<uint32_t>(values.size() / cols), cols, cols, {}};
    slice_of(values.data(), values.size() * 4);
    m.blocks.push_back({std::move(buffers_.back()), 0, m.rows, DType::f32});
    buffers_.pop_back();
    return m;
  }

  /// Rows as a file stores them.
  Matrix blocks(std::span<const std::byte> stored, DType dtype, uint32_t rows, uint32_t cols) {
    const uint64_t stored_row = stored_bytes(dtype, cols), row_bytes = device_row_bytes(dtype, cols);
    std::vector<std::byte> packed(rows * row_bytes);
    for (uint32_t row = 0; row < rows; ++row)
      pack_row(dtype, stored.subspan(row * stored_row, stored_row), cols, std::span(packed).subspan(row * row_bytes, row_bytes));
    Matrix m{rows, cols, cols, {}};
    slice_of(packed.data(), packed.size());
    m.blocks.push_back({std::move(buffers_.back()), 0, rows, dtype});
    buffers_.pop_back();
    return m;
  }

  vk::Slice slice_of(const void* data, size_t bytes) {
    vk::Buffer staging = memory_.allocate(bytes, vk::Intent::upload), buffer = memory_.allocate(bytes, vk::Intent::activations);
    std::memcpy(staging.mapped(), data, bytes);
    recorder_.copy(staging.slice().part(0, bytes), buffer.slice());
    recorder_.sync();
    buffers_.push_back(std::move(buffer));
    return buffers_.back().slice().part(0, bytes);
  }

  template <class Value = float>
  std::vector<Value> download(const vk::Slice& slice) {
    vk::Buffer readback = memory_.allocate(slice.size, vk::Intent::readback);
    recorder_.copy(slice, readback.slice());
    recorder_.sync();
    const Value* values = readback.mapped<Value>();
    return {values, values + slice.size / sizeof(Value)};
  }

 private:
  vk::Memory& memory_;
  Arena arena_;
  vk::Recorder recorder_;
  std::vector<vk::Buffer> buffers_;
  uint64_t state_ = 1;

 public:
  Graph graph;
};

double relative_l2(const Floats& found, const Floats& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * static_cast<double>(found[i] - expected[i]);
    norm += static_cast<double>(expected[i]) * expected[i];
  }
  return std::sqrt(difference / norm);
}

SelfTestItem compare(const std::string& name, const Floats& found, const Floats& expected, double tolerance) {
  const double difference = relative_l2(found, expected);
  char detail[96];
  std::snprintf(detail, sizeof detail, "relative difference %.1e, allowed %.0e", difference, tolerance);
  return {name, difference <= tolerance, detail};  // NaN fails
}

SelfTestItem test_matmul(Bench& bench, const std::string& name, uint32_t rows, double tolerance) {
  constexpr uint32_t k = 96, n = 70;
  const Floats x = bench.random(rows * k), w = bench.random(n * k);
  Floats expected(rows * n);
  scalar::matmul(x, w, rows, k, n, ops::Epilogue::Kind::none, nullptr, 1, expected);
  const Matrix weight = bench.matrix(w, k);
  const Tensor out = bench.zeros(rows, n);
  ops::matmul(bench.graph, bench.upload(x, k), weight, out);
  return compare(name, bench.download(out.slice), expected, tolerance);
}

/// Weights as a quantised model has them: unpacked by the kernel, or by the host for the twin.
SelfTestItem test_blocks(Bench& bench, const std::string& name, DType dtype, uint32_t rows, double tolerance) {
  constexpr uint32_t k = 512, n = 70;
  const Floats x = bench.random(rows * k), exact = bench.random(n * k);
  std::vector<std::byte> stored(stored_bytes(dtype, exact.size()));
  quantise(dtype, exact, stored);
  Floats w(exact.size()), expected(rows * n);
  dequantise(dtype, stored, w);
  scalar::matmul(x, w, rows, k, n, ops::Epilogue::Kind::none, nullptr, 1, expected);
  const Matrix weight = bench.blocks(stored, dtype, n, k);
  const Tensor out = bench.zeros(rows, n);
  ops::matmul(bench.graph, bench.upload(x, k), weight, out);
  return compare(name, bench.download(out.slice), expected, tolerance);
}

SelfTestItem test_norms(Bench& bench) {
  constexpr uint32_t cols = 200;
  const Floats x = bench.random(5 * cols), weight = bench.random(cols), bias = bench.random(cols);
  const Tensor layer = bench.zeros(5, cols), rms = bench.zeros(5, cols);
  const Tensor in = bench.upload(x, cols), w = bench.upload(weight, cols);
  ops::layer_norm(bench.graph, in, w, bench.upload(bias, cols), 1e-5f, layer);
  ops::rms_norm(bench.graph, in, w, 1e-5f, rms);
  SelfTestItem item = compare("layer norm", bench.download(layer.slice), scalar::layer_norm(x, weight, bias, 1e-5f, {}), exact_tolerance);
  const SelfTestItem second = compare("RMS norm", bench.download(rms.slice), scalar::rms_norm(x, weight, 1e-5f), exact_tolerance);
  return {"norms", item.ok && second.ok, item.ok ? second.detail : item.detail};
}

SelfTestItem test_attention(Bench& bench, const std::string& name, uint32_t rows, const ops::AttentionMask& mask) {
  const ops::HeadShape shape{6, 2, 80};
  const Floats q = bench.random(rows * shape.query_width()), k = bench.random(mask.length * shape.kv_width()),
               v = bench.random(mask.length * shape.kv_width());
  Matrix keys = bench.matrix(k, shape.kv_width()), values = bench.matrix(v, shape.kv_width());
  const KvCache cache{std::move(keys.blocks[0].buffer), std::move(values.blocks[0].buffer), false, mask.length, shape.kv_width()};
  const uint32_t zero = 0;
  ops::AttentionMask on_device = mask;
  on_device.position = {bench.slice_of(&zero, 4), 0, mask.length - rows};
  const Tensor out = bench.zeros(rows, shape.query_width());
  ops::attention(bench.graph, bench.upload(q, shape.query_width()), cache, shape, on_device, out);
  return compare(name, bench.download(out.slice), scalar::attention(q, k, v, shape, mask, mask.length - rows), exact_tolerance);
}

SelfTestItem test_argmax(Bench& bench) {
  const Floats logits = bench.random(5000);
  const uint32_t nothing = ~0u;
  const vk::Slice out = bench.slice_of(&nothing, 4);
  ops::argmax(bench.graph, bench.upload(logits, 5000), out);
  const uint32_t found = bench.download<uint32_t>(out)[0], expected = scalar::argmax(logits, 5000)[0];
  return {"argmax", found == expected, "found " + std::to_string(found) + ", expected " + std::to_string(expected)};
}

}  // namespace

std::vector<SelfTestItem> run_self_test(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations) {
  using Kind = ops::AttentionMask::Kind;
  const double matmul_tolerance = activations == Activations::f16 ? half_tolerance : exact_tolerance;
  const std::vector<std::pair<std::string, std::function<SelfTestItem(Bench&)>>> tests = {
      {"matrix-matrix product", [&](Bench& b) { return test_matmul(b, "matrix-matrix product", 33, matmul_tolerance); }},
      {"matrix-vector product", [](Bench& b) { return test_matmul(b, "matrix-vector product", 1, exact_tolerance); }},
      {"8-bit weights", [](Bench& b) { return test_blocks(b, "8-bit weights", DType::q8_0, 1, exact_tolerance); }},
      {"4-bit weights", [](Bench& b) { return test_blocks(b, "4-bit weights", DType::q4_k, 1, exact_tolerance); }},
      {"4-bit weights, many rows", [&](Bench& b) { return test_blocks(b, "4-bit weights, many rows", DType::q4_k, 33, matmul_tolerance); }},
      {"norms", test_norms},
      {"attention, one row", [](Bench& b) { return test_attention(b, "attention, one row", 1, {Kind::causal, 300, {}, 0, 0, 0}); }},
      {"attention, causal", [](Bench& b) { return test_attention(b, "attention, causal", 21, {Kind::causal, 50, {}, 0, 0, 0}); }},
      {"attention, vision", [](Bench& b) { return test_attention(b, "attention, vision", 48, {Kind::vision, 48, {}, 2, 10, 16}); }},
      {"argmax", test_argmax},
  };
  std::vector<SelfTestItem> items;
  for (const auto& [name, test] : tests) {
    try {
      Bench bench(device, memory, pipelines, activations);
      items.push_back(test(bench));
    } catch (const Error& error) {
      items.push_back({name, false, error.what()});
      if (error.code() == ErrorCode::device_lost) break;
    }
  }
  return items;
}

}  // namespace loupe
