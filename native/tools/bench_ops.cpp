// Times single operations at the shapes of a model: median milliseconds, GFLOP/s, GB/s.
//
//   bench_ops [--shapes demo|11b] [--device NAME] [--activations f32|f16] [--weights BF16|Q8_0|Q4_0|Q4_K|Q5_K|Q6_K|...]
//             [--only PART OF A NAME] [--repeats N]
//
// The cases are those of ops/cases.h, which the tests compare with their scalar twins. Weights and inputs are zeros.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/row_layout.h"
#include "ops/cases.h"
#include "vk/copy_bandwidth.h"

using namespace loupe;

namespace {

/// A run is repeated until it takes so long, because submitting takes a part of it. What fits into the device's cache then comes from there.
constexpr double run_ms = 10;
constexpr int most_together = 256;

void time(cases::Bench& bench, const cases::Case& one, int repeats) {
  const auto run = [&](int count) {
    bench.sync();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) one.record();
    bench.sync();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / count;
  };
  run(1);  // compiles
  const int together = static_cast<int>(std::clamp(std::ceil(run_ms / std::max(run(1), 1e-3)), 1.0, 1.0 * most_together));
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) times.push_back(run(together));
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  std::printf("%-34s %10.3f ms %10.2f GFLOP/s %9.2f GB/s  (longest submission %.1f ms)\n", one.name.c_str(), median,
              one.flops / median * 1e-6, one.bytes / median * 1e-6, bench.longest_submission_ms());
  std::fflush(stdout);
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
    vk::Device opened(instance, info);
    vk::Memory memory(opened, 0);
    vk::Pipelines pipelines(opened, folder ? folder : LOUPE_SHADERS_DIR, "");
    const Activations precision = activations == "f16" ? Activations::f16 : Activations::f32;
    std::printf("%s, %s, %s, %s weights, median of %d\n", info.name.c_str(), info.driver.c_str(),
                ops::matmul_path(opened, precision).c_str(), weights.c_str(), repeats);
    if (only.empty())
      std::printf("%-34s %38s %9.2f GB/s\n", "copies, read and written", "", vk::copy_bandwidth(opened, memory, pipelines) * 1e-9);
    const cases::ModelShapes& model = shapes == "11b" ? cases::llama_11b_shapes : cases::demo_shapes;
    for (const cases::NamedCase& one : cases::model_cases(model, type->dtype)) {
      if (one.name.find(only) == std::string::npos) continue;
      cases::Bench bench(opened, memory, pipelines, precision, cases::Bench::Fill::zeros);
      time(bench, one.make(bench), repeats);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "bench_ops: %s %s\n", error.what(), error.next_step().c_str());
    return 1;
  }
  return 0;
}
