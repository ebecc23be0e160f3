#include "ops/cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "graph/row_layout.h"
#include "weights/convert.h"
#include "weights/dequantise.h"
#include "weights/quantise.h"

namespace loupe::cases {
namespace {

using Kind = ops::Epilogue::Kind;
using Mask = ops::AttentionMask::Kind;

Floats as_floats(const std::vector<uint32_t>& words) { return {words.begin(), words.end()}; }

double product_tolerance(const Bench& bench, uint32_t rows) {
  return bench.graph.activations == Activations::f16 && rows > ops::matvec_rows ? half_tolerance : exact_tolerance;
}

/// `half`: keys and values come from a float16 cache, or become float16.
double attention_tolerance(const Bench& bench, uint32_t rows, bool half) { return half ? product_tolerance(bench, rows) : exact_tolerance; }

double device_bytes(const Matrix& matrix) {
  double sum = 0;
  for (const Matrix::Block& block : matrix.blocks) sum += static_cast<double>(device_row_bytes(block.dtype, matrix.stride)) * block.rows;
  return sum;
}

/// Rows as files store them; `values` become what can be read from these.
std::vector<std::byte> stored_rows(DType dtype, Floats& values) {
  std::vector<std::byte> stored(stored_bytes(dtype, values.size()));
  if (loupe::info(dtype).block > 1) {
    quantise(dtype, values, stored);
    dequantise(dtype, stored, values);
    return stored;
  }
  for (float& value : values) {
    if (dtype == DType::f16) value = f16_to_float(float_to_f16(value));
    if (dtype == DType::bf16) value = bf16_to_float(float_to_bf16(value));
  }
  write_floats(values, dtype, stored);
  return stored;
}

}  // namespace

Bench::Bench(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations, Fill fill)
    : fill_(fill),
      memory_(memory),
      arena_(memory),
      recorder_(device, vk::Recorder::Mode::immediate),
      graph{device, memory, pipelines, recorder_, arena_, activations, {}} {
  if (!device.quirks().last_workgroup) return;
  buffers_.push_back(buffer(nullptr, Graph::arrival_words * 4, vk::Intent::activations));
  graph.arrivals = buffers_.back().slice();
}

Bench::~Bench() { recorder_.abandon(); }

vk::Buffer Bench::buffer(const void* data, uint64_t bytes, vk::Intent intent) {
  vk::Buffer made = memory_.allocate(bytes, intent);
  if (!data) {
    recorder_.fill(made.slice(), 0);
    return made;
  }
  vk::Buffer staging = memory_.allocate(bytes, vk::Intent::upload);
  std::memcpy(staging.mapped(), data, bytes);
  recorder_.copy(staging.slice().part(0, bytes), made.slice());
  recorder_.sync();
  return made;
}

Tensor Bench::tensor(uint32_t rows, uint32_t cols, const Floats& values) {
  const uint64_t bytes = static_cast<uint64_t>(rows) * cols * 4;
  buffers_.push_back(buffer(values.empty() ? nullptr : values.data(), bytes, vk::Intent::activations));
  return {buffers_.back().slice().part(0, bytes), rows, cols, 0};
}

Matrix Bench::matrix(uint32_t rows, uint32_t cols, DType dtype, Floats& values) {
  Matrix made{rows, cols, round_up(cols, 8), {}};
  const uint64_t limit = std::min(memory_.max_allocation(), memory_.max_binding());
  const uint64_t row_bytes = device_row_bytes(dtype, made.stride), stored_row = stored_bytes(dtype, cols);
  const uint32_t step = static_cast<uint32_t>(std::min<uint64_t>(limit / row_bytes / 64 * 64, rows));
  const std::vector<std::byte> stored = values.empty() ? std::vector<std::byte>() : stored_rows(dtype, values);
  for (uint32_t first = 0; first < rows; first += step) {
    const uint32_t count = std::min(step, rows - first);
    std::vector<std::byte> packed(stored.empty() ? 0 : count * row_bytes);
    for (uint32_t row = 0; row < count && !stored.empty(); ++row)
      pack_row(dtype, std::span(stored).subspan((first + row) * stored_row, stored_row), cols,
               std::span(packed).subspan(row * row_bytes, row_bytes));
    made.blocks.push_back({buffer(stored.empty() ? nullptr : packed.data(), count * row_bytes, vk::Intent::weights), first, count, dtype});
  }
  return made;
}

KvCache Bench::cache(uint32_t capacity, uint32_t width, bool half, Floats& keys, Floats& values) {
  const uint64_t count = static_cast<uint64_t>(capacity) * width;
  const auto half_of = [&](Floats& numbers) {
    if (numbers.empty()) return buffer(nullptr, count * (half ? 2 : 4), vk::Intent::activations);
    if (!half) return buffer(numbers.data(), count * 4, vk::Intent::activations);
    std::vector<std::byte> stored = stored_rows(DType::f16, numbers);
    return buffer(stored.data(), stored.size(), vk::Intent::activations);
  };
  KvCache made;
  made.keys = half_of(keys);
  made.values = half_of(values);
  made.half = half;
  made.capacity = capacity;
  made.width = width;
  return made;
}

Comparison compare(const Case& one) {
  one.record();
  const Floats found = one.found(), expected = one.expected();
  if (found.size() != expected.size())
    return {false, std::to_string(found.size()) + " values instead of " + std::to_string(expected.size())};
  char detail[96];
  if (one.tolerance == 0) {
    std::snprintf(detail, sizeof detail, "found %.0f, expected %.0f", found[0], expected[0]);
    return {found == expected, detail};
  }
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * static_cast<double>(found[i] - expected[i]);
    norm += static_cast<double>(expected[i]) * expected[i];
  }
  const double relative = std::sqrt(difference / norm);
  std::snprintf(detail, sizeof detail, "relative difference %.1e, allowed %.0e", relative, one.tolerance);
  return {relative <= one.tolerance, detail};  // NaN fails
}

Case matmul(Bench& bench, const std::string& name, uint32_t rows, uint32_t k, uint32_t n, DType weights, Kind kind) {
  const uint32_t width = kind == Kind::silu_mul ? n / 2 : n;
  const Floats x = bench.random(uint64_t{rows} * k), before = bench.random(uint64_t{rows} * width);
  Floats w = bench.random(uint64_t{n} * k);
  const auto weight = std::make_shared<const Matrix>(bench.matrix(n, k, weights, w));
  const Tensor in = bench.tensor(rows, k, x), out = bench.tensor(rows, width, before);
  Case made{name, 2.0 * rows * k * n, device_bytes(*weight) + 4.0 * rows * (k + n), product_tolerance(bench, rows), {}, {}, {}};
  made.record = [&bench, in, weight, out, kind] { ops::matmul(bench.graph, in, *weight, out, {kind}); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] {
    Floats expected = before;
    scalar::matmul(x, w, rows, k, n, kind, nullptr, 1, expected);
    return expected;
  };
  return made;
}

Case add_norm(Bench& bench, const std::string& name, uint32_t rows, uint32_t k, uint32_t n, DType weights) {
  constexpr float eps = 1e-5f, scale = 0.5f;
  const Floats in = bench.random(uint64_t{rows} * k), before = bench.random(uint64_t{rows} * n), norm = bench.random(n);
  Floats w = bench.random(uint64_t{n} * k);
  const auto weight = std::make_shared<const Matrix>(bench.matrix(n, k, weights, w));
  const Tensor input = bench.tensor(rows, k, in), x = bench.tensor(rows, n, before), norm_row = bench.tensor(1, n, norm),
               out = bench.tensor(rows, n);
  Case made{name, 2.0 * rows * k * n, device_bytes(*weight) + 4.0 * rows * (k + n), product_tolerance(bench, rows), {}, {}, {}};
  made.record = [&bench, input, weight, x, norm_row, out] { ops::add_norm(bench.graph, input, *weight, scale, x, norm_row, eps, out); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] {
    Floats sums = before;
    return scalar::add_norm(in, w, rows, k, scale, norm, eps, sums);
  };
  return made;
}

Case layer_norm(Bench& bench, const std::string& name, uint32_t rows, uint32_t cols) {
  const Floats x = bench.random(uint64_t{rows} * cols), weight = bench.random(cols), bias = bench.random(cols);
  const Tensor in = bench.tensor(rows, cols, x), w = bench.tensor(1, cols, weight), b = bench.tensor(1, cols, bias),
               out = bench.tensor(rows, cols);
  Case made{name, 8.0 * rows * cols, 8.0 * rows * cols, exact_tolerance, {}, {}, {}};
  made.record = [&bench, in, w, b, out] { ops::layer_norm(bench.graph, in, w, b, 1e-5f, out); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] { return scalar::layer_norm(x, weight, bias, 1e-5f, {}); };
  return made;
}

Case rms_norm(Bench& bench, const std::string& name, uint32_t rows, uint32_t cols) {
  const Floats x = bench.random(uint64_t{rows} * cols), weight = bench.random(cols);
  const Tensor in = bench.tensor(rows, cols, x), w = bench.tensor(1, cols, weight), out = bench.tensor(rows, cols);
  Case made{name, 4.0 * rows * cols, 8.0 * rows * cols, exact_tolerance, {}, {}, {}};
  made.record = [&bench, in, w, out] { ops::rms_norm(bench.graph, in, w, 1e-5f, out); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] { return scalar::rms_norm(x, weight, 1e-5f); };
  return made;
}

Case attention(Bench& bench, const std::string& name, uint32_t rows, const ops::HeadShape& shape, const ops::AttentionMask& mask,
               bool half) {
  const uint64_t keys_count = uint64_t{mask.length} * shape.kv_width();
  const Floats q = bench.random(uint64_t{rows} * shape.query_width());
  Floats k = bench.random(keys_count), v = bench.random(keys_count);
  const auto cache = std::make_shared<const KvCache>(bench.cache(mask.length, shape.kv_width(), half, k, v));
  const uint32_t position = mask.length - rows;
  ops::AttentionMask on_device = mask;
  if (mask.kind == Mask::causal) on_device.position = {bench.value(0u), 0, position};
  const Tensor in = bench.tensor(rows, shape.query_width(), q), out = bench.tensor(rows, shape.query_width());
  Case made{name,
            4.0 * rows * mask.length * shape.query_width(),
            2.0 * static_cast<double>(keys_count) * (half ? 2 : 4),
            attention_tolerance(bench, rows, half),
            {},
            {},
            {}};
  made.record = [&bench, in, cache, shape, on_device, out] { ops::attention(bench.graph, in, *cache, shape, on_device, out); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] { return scalar::attention(q, k, v, shape, mask, position); };
  return made;
}

Case rope_attention(Bench& bench, const std::string& name, uint32_t length, const ops::HeadShape& shape, bool half) {
  const uint32_t before = length - 1;
  const uint64_t keys_count = uint64_t{before} * shape.kv_width(), room = shape.kv_width();
  const Floats qkv = bench.random(uint64_t{shape.query_width()} + 2 * shape.kv_width()), rotations = bench.random(shape.head_dim);
  Floats k = bench.random(keys_count + room), v = bench.random(keys_count + room);
  const auto cache = std::make_shared<const KvCache>(bench.cache(length, shape.kv_width(), half, k, v));
  const ops::AttentionMask mask{Mask::causal, length, {bench.value(0u), 0, before}};
  const Tensor in = bench.tensor(1, shape.query_width() + 2 * shape.kv_width(), qkv), out = bench.tensor(1, shape.query_width()),
               turns = bench.tensor(1, shape.head_dim, rotations);
  Case made{name, 4.0 * length * shape.query_width(), 2.0 * static_cast<double>(keys_count) * (half ? 2 : 4), exact_tolerance, {}, {}, {}};
  made.record = [&bench, in, turns, before, cache, shape, mask, out] {
    ops::rope_attention(bench.graph, in, {turns.slice, before}, shape, mask, *cache, out);
  };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] {
    Floats rotated = qkv, keys = k, values = v;
    scalar::rope_kv_write(rotated, rotations, shape, before, keys, values);
    // The cache rounds the row's own key and value, too.
    if (half) (void)stored_rows(DType::f16, keys), (void)stored_rows(DType::f16, values);
    rotated.resize(shape.query_width());
    return scalar::attention(rotated, keys, values, shape, mask, before);
  };
  return made;
}

Case norm_attention(Bench& bench, const std::string& name, uint32_t rows, const ops::HeadShape& shape, uint32_t length, bool half) {
  constexpr float eps = 1e-5f;
  const uint64_t keys_count = uint64_t{length} * shape.kv_width();
  const Floats q = bench.random(uint64_t{rows} * shape.query_width()), weight = bench.random(shape.head_dim);
  Floats k = bench.random(keys_count), v = bench.random(keys_count);
  const auto cache = std::make_shared<const KvCache>(bench.cache(length, shape.kv_width(), half, k, v));
  const ops::AttentionMask mask{Mask::all, length};
  const Tensor in = bench.tensor(rows, shape.query_width(), q), norm = bench.tensor(1, shape.head_dim, weight),
               out = bench.tensor(rows, shape.query_width());
  Case made{
      name, 4.0 * rows * length * shape.query_width(), 2.0 * static_cast<double>(keys_count) * (half ? 2 : 4), exact_tolerance, {}, {}, {}};
  made.record = [&bench, in, norm, cache, shape, mask, out] { ops::norm_attention(bench.graph, in, norm, eps, *cache, shape, mask, out); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] { return scalar::attention(scalar::rms_norm(q, weight, eps), k, v, shape, mask, 0); };
  return made;
}

Case attention_packed(Bench& bench, const std::string& name, const ops::HeadShape& shape, const ops::AttentionMask& mask) {
  const uint32_t rows = mask.length, width = shape.query_width();
  const Floats qkv = bench.random(uint64_t{rows} * 3 * width);
  const Tensor in = bench.tensor(rows, 3 * width, qkv), out = bench.tensor(rows, width);
  Case made{name, 4.0 * rows * rows * width, 16.0 * rows * width, attention_tolerance(bench, rows, true), {}, {}, {}};
  made.record = [&bench, in, shape, mask, out] { ops::attention_packed(bench.graph, in, shape, mask, out); };
  made.found = [&bench, out] { return bench.download<float>(out.slice); };
  made.expected = [=] {
    const auto part = [&](uint32_t begin) {
      Floats values;
      for (uint32_t row = 0; row < rows; ++row) {
        const auto from = qkv.begin() + static_cast<std::ptrdiff_t>(uint64_t{row} * 3 * width + begin);
        values.insert(values.end(), from, from + width);
      }
      return values;
    };
    return scalar::attention(part(0), part(width), part(2 * width), shape, mask, 0);
  };
  return made;
}

Case argmax(Bench& bench, const std::string& name, uint32_t vocabulary) {
  const Floats logits = bench.random(vocabulary);
  const Tensor in = bench.tensor(1, vocabulary, logits);
  const vk::Slice out = bench.value(~0u);
  Case made{name, 1.0 * vocabulary, 4.0 * vocabulary, 0, {}, {}, {}};
  made.record = [&bench, in, out] { ops::argmax(bench.graph, in, out); };
  made.found = [&bench, out] { return as_floats(bench.download<uint32_t>(out)); };
  made.expected = [=] { return as_floats(scalar::argmax(logits, vocabulary)); };
  return made;
}

Case sample(Bench& bench, const std::string& name, uint32_t vocabulary, const ops::Sampling& sampling) {
  constexpr float uniform = 0.5f;
  const Floats logits = bench.random(vocabulary);
  const Tensor in = bench.tensor(1, vocabulary, logits);
  const vk::Slice out = bench.value(~0u), inputs = bench.value(ops::sampling_inputs(sampling, {}, uniform));
  Case made{name, 1.0 * vocabulary, 4.0 * vocabulary, 0, {}, {}, {}};
  made.record = [&bench, in, inputs, plan = ops::plan_of(sampling, vocabulary), out] { ops::sample(bench.graph, in, plan, inputs, out); };
  made.found = [&bench, out] { return as_floats(bench.download<uint32_t>(out)); };
  made.expected = [=] { return as_floats({scalar::sample(logits, {}, sampling, uniform)}); };
  return made;
}

std::vector<NamedCase> self_test_cases() {
  const ops::HeadShape heads{6, 2, 80};
  const auto product = [](const char* name, uint32_t rows, uint32_t k, DType weights) {
    return NamedCase{name, [=](Bench& b) { return matmul(b, name, rows, k, 70, weights, Kind::none); }};
  };
  const auto attending = [heads](const char* name, uint32_t rows, const ops::AttentionMask& mask) {
    return NamedCase{name, [=](Bench& b) { return attention(b, name, rows, heads, mask, b.graph.activations == Activations::f16); }};
  };
  // As many workgroups as the largest tiles are for (matrix_tiles.h).
  const char* many = "matrix-matrix product";
  return {
      product(many, 33, 96, DType::f32),
      {many, [many](Bench& b) { return matmul(b, many, 130, 64, 48 * 128, DType::q8_0, Kind::none); }},
      product("matrix-vector product", 1, 96, DType::f32),
      product("8-bit weights", 1, 512, DType::q8_0),
      product("4-bit weights", 1, 512, DType::q4_k),
      product("4-bit weights, many rows", 33, 512, DType::q4_k),
      {"norms", [](Bench& b) { return add_norm(b, "RMS norm behind a product", 3, 200, 96, DType::bf16); }},
      {"norms", [](Bench& b) { return layer_norm(b, "layer norm", 5, 200); }},
      {"norms", [](Bench& b) { return rms_norm(b, "RMS norm", 5, 200); }},
      attending("attention, one row", 1, {Mask::causal, 300, {}, 0, 0, 0}),
      {"attention, one row", [heads](Bench& b) { return rope_attention(b, "attention, one row, rotated", 300, heads, false); }},
      {"attention, one row", [heads](Bench& b) { return norm_attention(b, "attention, one row, normed", 1, heads, 300, false); }},
      attending("attention, causal", 21, {Mask::causal, 50, {}, 0, 0, 0}),
      attending("attention, vision", 48, {Mask::vision, 48, {}, 2, 10, 16}),
      {"sampling", [](Bench& b) { return argmax(b, "argmax", 5000); }},
      {"sampling", [](Bench& b) { return sample(b, "top-k and top-p", 5000, {0.7f, 400, 0.9f, 0, 1}); }},
  };
}

/// As many as a pass has that checks proposed tokens (session/speculation.h).
constexpr uint32_t checked_rows = 4;

const ModelShapes demo_shapes{288, 192, 768, 6, 192, 512, 6, 2, 32, 352, 48, 256, 65};
const ModelShapes llama_11b_shapes{6432, 1280, 5120, 16, 4096, 14336, 32, 8, 128, 128256, 512, 4096, 6404};

std::vector<NamedCase> model_cases(const ModelShapes& s, DType weights) {
  // Widths that have no whole blocks stay bf16, as in files.
  const auto stored = [weights](uint32_t k) { return k % static_cast<uint32_t>(loupe::info(weights).block) == 0 ? weights : DType::bf16; };
  const auto shape = [](uint32_t rows, uint32_t k, uint32_t n) {
    return std::string(" ") + std::to_string(rows) + "x" + std::to_string(k) + "x" + std::to_string(n);
  };
  const auto product = [=](const std::string& what, uint32_t rows, uint32_t k, uint32_t n, Kind kind = Kind::none) {
    const std::string name = what + shape(rows, k, n);
    return NamedCase{name, [=](Bench& b) { return matmul(b, name, rows, k, n, stored(k), kind); }};
  };
  const std::string down = "decode down add norm" + shape(1, s.text_inner, s.text_hidden),
                    check_down = "check down add norm" + shape(checked_rows, s.text_inner, s.text_hidden);
  const ops::HeadShape vision_heads{s.vision_heads, s.vision_heads, s.vision_hidden / s.vision_heads},
      heads{s.heads, s.kv_heads, s.head_dim};
  const ops::AttentionMask vision_mask{Mask::vision, s.vision_rows, {}, 1, s.vision_rows / 4 - 7, s.vision_rows / 4};
  const uint32_t hidden = s.text_hidden, vocabulary = s.vocabulary;
  return {
      product("vision qkv", s.vision_rows, s.vision_hidden, 3 * s.vision_hidden),
      product("vision fc1 gelu", s.vision_rows / 4, s.vision_hidden, s.vision_inner, Kind::gelu),
      product("vision fc2 add", s.vision_rows / 4, s.vision_inner, s.vision_hidden, Kind::add),
      {"vision attention", [=](Bench& b) { return attention_packed(b, "vision attention", vision_heads, vision_mask); }},
      product("prefill gate/up silu", s.prompt, hidden, 2 * s.text_inner, Kind::silu_mul),
      product("prefill down add", s.prompt, s.text_inner, hidden, Kind::add),
      {"prefill attention, text",
       [=](Bench& b) {
         return attention(b, "prefill attention, text", s.prompt, heads, {Mask::causal, s.prompt}, b.graph.activations == Activations::f16);
       }},
      {"prefill attention, picture",
       [=](Bench& b) {
         return attention(b, "prefill attention, picture", s.prompt, heads, {Mask::all, s.image_tokens},
                          b.graph.activations == Activations::f16);
       }},
      product("decode qkv", 1, hidden, (s.heads + 2 * s.kv_heads) * s.head_dim),
      product("decode gate/up silu", 1, hidden, 2 * s.text_inner, Kind::silu_mul),
      {down, [=](Bench& b) { return add_norm(b, down, 1, s.text_inner, hidden, stored(s.text_inner)); }},
      product("decode lm_head", 1, hidden, vocabulary),
      product("check gate/up silu", checked_rows, hidden, 2 * s.text_inner, Kind::silu_mul),
      {check_down, [=](Bench& b) { return add_norm(b, check_down, checked_rows, s.text_inner, hidden, stored(s.text_inner)); }},
      {"check attention, text",
       [=](Bench& b) {
         return attention(b, "check attention, text", checked_rows, heads, {Mask::causal, s.context, {}, 0, 0, 0},
                          b.graph.activations == Activations::f16);
       }},
      {"decode attention, text",
       [=](Bench& b) { return rope_attention(b, "decode attention, text", s.context, heads, b.graph.activations == Activations::f16); }},
      {"decode attention, picture",
       [=](Bench& b) {
         return norm_attention(b, "decode attention, picture", 1, heads, s.image_tokens, b.graph.activations == Activations::f16);
       }},
      {"argmax", [=](Bench& b) { return argmax(b, "argmax", vocabulary); }},
      {"sample top-p 0.9", [=](Bench& b) { return sample(b, "sample top-p 0.9", vocabulary, {0.6f, 0, 0.9f, 0, 1}); }},
      {"sample top-k 40, top-p 0.9", [=](Bench& b) { return sample(b, "sample top-k 40, top-p 0.9", vocabulary, {0.7f, 40, 0.9f, 0, 1}); }},
      {"RMS norm, one row", [=](Bench& b) { return rms_norm(b, "RMS norm, one row", 1, hidden); }},
  };
}

}  // namespace loupe::cases
