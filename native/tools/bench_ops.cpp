// Times single operations at the shapes of a model: median milliseconds, GFLOP/s, GB/s.
//
//   bench_ops [--shapes demo|11b] [--device NAME] [--activations f32|f16] [--weights BF16|Q8_0|Q4_0|Q4_K|Q5_K|Q6_K|...]
//             [--only PART OF A NAME] [--repeats N]
//
// Weights and inputs are zeros: no kernel here is faster for them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/row_layout.h"
#include "ops/ops.h"

using namespace loupe;

namespace {

struct Shapes {
  uint32_t vision_rows, vision_hidden, vision_inner, vision_heads;
  uint32_t text_hidden, text_inner, heads, kv_heads, head_dim, vocabulary, prompt, context, image_tokens;
};
const Shapes demo{288, 192, 768, 6, 192, 512, 6, 2, 32, 352, 48, 256, 65};
const Shapes eleven_b{6432, 1280, 5120, 16, 4096, 14336, 32, 8, 128, 128256, 512, 4096, 6404};

struct Bench {
  std::shared_ptr<vk::Instance> instance;
  vk::Device device;
  vk::Memory memory;
  vk::Pipelines pipelines;
  Activations activations;
  DType weights;
  std::string only;
  int repeats;
  std::vector<vk::Buffer> buffers;

  Tensor tensor(uint32_t rows, uint32_t cols) {
    buffers.push_back(memory.allocate(static_cast<uint64_t>(rows) * cols * 4, vk::Intent::activations));
    return {buffers.back().slice().part(0, static_cast<uint64_t>(rows) * cols * 4), rows, cols, 0};
  }
  Matrix matrix(uint32_t rows, uint32_t cols) {
    // Widths that have no whole blocks stay bf16, as in files.
    const DType dtype = cols % static_cast<uint32_t>(loupe::info(weights).block) == 0 ? weights : DType::bf16;
    Matrix m{rows, cols, cols, {}};
    const uint64_t limit = std::min(memory.max_allocation(), memory.max_binding()), row_bytes = device_row_bytes(dtype, cols);
    const uint32_t step = static_cast<uint32_t>(std::min<uint64_t>(limit / row_bytes / 64 * 64, rows));
    for (uint32_t first = 0; first < rows; first += step) {
      const uint32_t n = std::min(step, rows - first);
      m.blocks.push_back({memory.allocate(n * row_bytes, vk::Intent::weights), first, n, dtype});
    }
    return m;
  }
  KvCache cache(uint32_t width, uint32_t capacity) {
    const bool half = activations == Activations::f16;
    const uint64_t bytes = static_cast<uint64_t>(width) * capacity * (half ? 2 : 4);
    return {memory.allocate(bytes, vk::Intent::activations), memory.allocate(bytes, vk::Intent::activations), half, capacity, width};
  }

  bool wants(const std::string& name) const { return name.find(only) != std::string::npos; }

  void run(const std::string& name, double flops, double bytes, const std::function<void(Graph&)>& record) {
    if (!wants(name)) return;
    Arena arena(memory);
    vk::Recorder recorder(device, vk::Recorder::Mode::immediate);
    Graph graph{device, memory, pipelines, recorder, arena, activations};
    std::vector<double> times;
    for (int i = 0; i <= repeats; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      record(graph);
      recorder.sync();
      const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
      if (i > 0) times.push_back(ms);  // the first compiles
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    std::printf("%-34s %10.3f ms %10.2f GFLOP/s %9.2f GB/s  (longest submission %.1f ms)\n", name.c_str(), median, flops / median * 1e-6,
                bytes / median * 1e-6, recorder.longest_submission_ms());
    std::fflush(stdout);
  }
};

double bytes_of(const Matrix& matrix) {
  double sum = 0;
  for (const Matrix::Block& block : matrix.blocks) sum += static_cast<double>(device_row_bytes(block.dtype, matrix.stride)) * block.rows;
  return sum;
}

void bench_matmul(Bench& b, const std::string& name, uint32_t rows, uint32_t k, uint32_t n,
                  ops::Epilogue::Kind kind = ops::Epilogue::Kind::none) {
  if (!b.wants(name)) return;
  const Tensor x = b.tensor(rows, k), out = b.tensor(rows, kind == ops::Epilogue::Kind::silu_mul ? n / 2 : n);
  const Matrix weight = b.matrix(n, k);
  b.run(name + " " + std::to_string(rows) + "x" + std::to_string(k) + "x" + std::to_string(n), 2.0 * rows * k * n,
        bytes_of(weight) + 4.0 * rows * (k + n), [&](Graph& g) { ops::matmul(g, x, weight, out, {kind}); });
  b.buffers.clear();
}

void bench_all(Bench& b, const Shapes& s) {
  using Kind = ops::Epilogue::Kind;
  bench_matmul(b, "vision qkv", s.vision_rows, s.vision_hidden, 3 * s.vision_hidden);
  bench_matmul(b, "vision fc1 gelu", s.vision_rows / 4, s.vision_hidden, s.vision_inner, Kind::gelu);
  bench_matmul(b, "vision fc2 add", s.vision_rows / 4, s.vision_inner, s.vision_hidden, Kind::add);
  {
    const ops::HeadShape heads{s.vision_heads, s.vision_heads, s.vision_hidden / s.vision_heads};
    const Tensor qkv = b.tensor(s.vision_rows, 3 * s.vision_hidden), out = b.tensor(s.vision_rows, s.vision_hidden);
    const ops::AttentionMask mask{ops::AttentionMask::Kind::vision, s.vision_rows, {}, 1, s.vision_rows / 4 - 7, s.vision_rows / 4};
    b.run("vision attention", 4.0 * s.vision_rows * s.vision_rows * s.vision_hidden, 0,
          [&](Graph& g) { ops::attention_packed(g, qkv, heads, mask, out); });
    b.buffers.clear();
  }
  bench_matmul(b, "prefill gate/up silu", s.prompt, s.text_hidden, 2 * s.text_inner, Kind::silu_mul);
  bench_matmul(b, "prefill down add", s.prompt, s.text_inner, s.text_hidden, Kind::add);
  bench_matmul(b, "decode qkv", 1, s.text_hidden, (s.heads + 2 * s.kv_heads) * s.head_dim);
  bench_matmul(b, "decode gate/up silu", 1, s.text_hidden, 2 * s.text_inner, Kind::silu_mul);
  bench_matmul(b, "decode down add", 1, s.text_inner, s.text_hidden, Kind::add);
  bench_matmul(b, "decode lm_head", 1, s.text_hidden, s.vocabulary);
  const ops::HeadShape heads{s.heads, s.kv_heads, s.head_dim};
  for (const auto& [name, length] :
       {std::pair<std::string, uint32_t>{"decode attention, text", s.context}, {"decode attention, picture", s.image_tokens}}) {
    const Tensor q = b.tensor(1, heads.query_width()), out = b.tensor(1, heads.query_width());
    const KvCache cache = b.cache(heads.kv_width(), length);
    b.run(name, 4.0 * length * heads.query_width(), 2.0 * length * heads.kv_width() * (cache.half ? 2 : 4),
          [&](Graph& g) { ops::attention(g, q, cache, heads, {ops::AttentionMask::Kind::all, length, {}, 0, 0, 0}, out); });
    b.buffers.clear();
  }
  const Tensor logits = b.tensor(1, s.vocabulary), chosen = b.tensor(1, 1), weight = b.tensor(1, s.text_hidden),
               x = b.tensor(1, s.text_hidden);
  b.run("argmax", s.vocabulary, 4.0 * s.vocabulary, [&](Graph& g) { ops::argmax(g, logits, chosen.slice); });
  b.run("sample top-k 40, top-p 0.9", s.vocabulary, 4.0 * s.vocabulary,
        [&](Graph& g) { ops::sample(g, logits, x.slice, 0, {0.7f, 40, 0.9f, 0, 1}, 0.5f, chosen.slice); });
  b.run("RMS norm, one row", 4.0 * s.text_hidden, 8.0 * s.text_hidden, [&](Graph& g) { ops::rms_norm(g, x, weight, 1e-5f, x); });
}

}  // namespace

int main(int argc, char** argv) {
  std::string shapes = "demo", device, activations = "f32", weights = "BF16", only;
  int repeats = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--shapes")
      shapes = argv[i + 1];
    else if (flag == "--device")
      device = argv[i + 1];
    else if (flag == "--activations")
      activations = argv[i + 1];
    else if (flag == "--weights")
      weights = argv[i + 1];
    else if (flag == "--only")
      only = argv[i + 1];
    else if (flag == "--repeats")
      repeats = std::max(1, std::atoi(argv[i + 1]));
    else
      return std::fprintf(stderr, "bench_ops: unknown option %s\n", argv[i]), 2;
  }
  const auto* type = std::find_if(std::begin(dtype_table), std::end(dtype_table),
                                  [&](const DTypeInfo& entry) { return entry.name == weights && has_kernels(entry.dtype); });
  if (type == std::end(dtype_table)) return std::fprintf(stderr, "bench_ops: no kernel reads weights of type %s\n", weights.c_str()), 2;
  try {
    auto instance = std::make_shared<vk::Instance>(false);
    const vk::DeviceInfo info = instance->choose(device);
    const char* folder = std::getenv("LOUPE_SHADERS");
    Bench bench{instance,
                vk::Device(instance, info),
                vk::Memory(bench.device, 0),
                vk::Pipelines(bench.device, folder ? folder : LOUPE_SHADERS_DIR, ""),
                activations == "f16" ? Activations::f16 : Activations::f32,
                type->dtype,
                only,
                repeats,
                {}};
    std::printf("%s, %s, %s, %s weights, median of %d\n", info.name.c_str(), info.driver.c_str(),
                ops::matmul_path(bench.device, bench.activations).c_str(), weights.c_str(), repeats);
    bench_all(bench, shapes == "11b" ? eleven_b : demo);
  } catch (const Error& error) {
    std::fprintf(stderr, "bench_ops: %s %s\n", error.what(), error.next_step().c_str());
    return 1;
  }
  return 0;
}
