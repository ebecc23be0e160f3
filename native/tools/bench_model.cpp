// Times a whole checkpoint, real or synthetic, as llama-bench does: one warm-up, then the mean and the deviation of
// the repeats; tokenising excluded, sampling on the device.
//
//   bench_model --model DIR|FILE.gguf [--device NAME] [--activations auto|f32|f16] [--prompt 512] [--generate 128]
//               [--depth 0] [--tiles 4] [--repeats 5] [--image 1|0] [--host-layers 0] [--profile 0|1]
//
// The last --host-layers layers are left in the host's memory. --profile 1 prints instead how long every kernel takes in a prompt, in a picture and
// in tokens drawn, each of these once after a warm-up; the timestamps between the dispatches make the whole slower.
//
// Prints: prompt tokens/s (ppN), generated tokens/s (tgN @ depth) without and with a picture, greedy and drawn as Llama's
// own settings do (temperature 0.6, top-p 0.9), milliseconds to encode a picture of --tiles tiles (cross-attention keys and
// values included), what the device is asked to do for a token, the longest submission, and memory.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/random.h"
#include "session/session.h"
#include "vk/profile.h"

using namespace loupe;

namespace {

struct Series {
  double mean = 0, deviation = 0;
};

Series repeat(int repeats, const std::function<double()>& measure) {
  measure();  // warm-up: pipelines compile, caches fill
  std::vector<double> values;
  for (int i = 0; i < repeats; ++i) values.push_back(measure());
  Series series;
  for (double value : values) series.mean += value / repeats;
  for (double value : values) series.deviation += (value - series.mean) * (value - series.mean) / std::max(1, repeats - 1);
  series.deviation = std::sqrt(series.deviation);
  return series;
}

void print(const std::string& name, const Series& series, const char* unit) {
  std::printf("%-36s %10.2f ± %.2f %s\n", name.c_str(), series.mean, series.deviation, unit);
  std::fflush(stdout);
}

/// Numbers that no cache has seen: every prompt and picture differs from all before.
class Fresh {
 public:
  explicit Fresh(const ModelConfig& config) : config_(config) {}

  std::vector<uint32_t> tokens(uint32_t count) {
    std::vector<uint32_t> list(count);
    for (uint32_t& token : list) token = next() % static_cast<uint32_t>(config_.text.vocab_size / 2);
    return list;
  }

  PreparedImage image(uint32_t tiles) {
    // A column of tiles: ids 1, 5, 7, 8 for 1 to 4 tiles.
    constexpr uint32_t ids[] = {1, 5, 7, 8};
    const VisionConfig& vision = *config_.vision;
    PreparedImage image{"bench-" + std::to_string(next()), {}, tiles, ids[tiles - 1]};
    image.tiles.resize(static_cast<size_t>(tiles) * static_cast<size_t>(vision.image_size) * static_cast<size_t>(vision.image_size) * 3);
    for (uint8_t& byte : image.tiles) byte = static_cast<uint8_t>(next());
    return image;
  }

 private:
  uint32_t next() { return static_cast<uint32_t>(random_.bits() >> 32); }
  const ModelConfig& config_;
  Random random_{1};
};

/// Of Llama's generation_config.json.
constexpr ops::Sampling published_sampling{.temperature = 0.6f, .top_p = 0.9f};

ModelSource source_at(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return {path};
  return std::vector{path};
}

void bench(Session& session, uint32_t prompt, uint32_t generate, uint32_t depth, uint32_t tiles, int repeats, bool with_image) {
  const ModelConfig& config = session.model().config;
  Fresh fresh(config);
  print("pp" + std::to_string(prompt),
        repeat(repeats,
               [&] {
                 const GenerateResult result = session.generate({{fresh.tokens(prompt), {}}, 1, {}, {}, 0}, {});
                 return 1e3 * prompt / result.statistics.prefill_ms;
               }),
        "tokens/s");
  GenerateStatistics statistics;
  const auto generation = [&](const Prompt& start, const ops::Sampling& sampling) {
    const GenerateResult result = session.generate({start, generate, {}, sampling, 0, Speculation::off}, {});
    statistics = result.statistics;
    return 1e3 * (generate - 1) / result.statistics.decode_ms;
  };
  const std::string tg = "tg" + std::to_string(generate) + " @ " + std::to_string(depth);
  const auto print_work = [&] {
    const DeviceWork& work = statistics.token_work;
    std::printf("%-36s %10.0f dispatches, %.0f barriers, %.0f submissions, %.1f us of the host\n", "  a token", work.dispatches,
                work.barriers, work.submissions, statistics.token_host_us);
  };
  const auto generations = [&](const std::string& name, const std::function<Prompt()>& start) {
    print(name, repeat(repeats, [&] { return generation(start(), {}); }), "tokens/s");
    print_work();
    print(name + ", drawn", repeat(repeats, [&] { return generation(start(), published_sampling); }), "tokens/s");
    print_work();
  };
  generations(tg, [&] { return Prompt{fresh.tokens(depth + 1), {}}; });
  if (!config.vision || !with_image) return;
  Prompt look;
  print("encode " + std::to_string(tiles) + " tiles",
        repeat(repeats,
               [&] {
                 look = {fresh.tokens(1), {fresh.image(tiles)}};
                 look.tokens.push_back(static_cast<uint32_t>(*config.image_token_index));
                 return session.generate({look, 1, {}, {}, 0}, {}).statistics.encode_ms;
               }),
        "ms");
  generations(tg + ", picture", [&] {
    Prompt start = look;
    const std::vector<uint32_t> more = fresh.tokens(depth + 1);
    start.tokens.insert(start.tokens.end(), more.begin(), more.end());
    return start;
  });
}

void print_profile(const char* name, vk::Profile& profile, double per) {
  struct Line {
    std::string kernel;
    vk::Profile::Entry entry;
  };
  std::vector<Line> lines;
  vk::Profile::Entry all;
  for (const auto& [kernel, entry] : profile.entries()) {
    lines.push_back({kernel, entry});
    all.dispatches += entry.dispatches;
    all.ms += entry.ms;
  }
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.entry.ms > b.entry.ms; });
  std::printf("%s: %.3f ms in %.0f dispatches\n", name, all.ms / per, static_cast<double>(all.dispatches) / per);
  for (const auto& [kernel, entry] : lines)
    std::printf("  %-48s %8.1f dispatches %10.2f us each %9.3f ms %5.1f %%\n", kernel.c_str(), static_cast<double>(entry.dispatches) / per,
                1e3 * entry.ms / static_cast<double>(entry.dispatches), entry.ms / per, 100 * entry.ms / all.ms);
  std::fflush(stdout);
}

void profile_kernels(Session& session, vk::Profile& profile, uint32_t prompt, uint32_t generate, uint32_t depth, uint32_t tiles) {
  const ModelConfig& config = session.model().config;
  Fresh fresh(config);
  const auto twice = [&](const std::function<void()>& run) {
    run();
    profile.clear();
    run();
  };
  twice([&] { session.generate({{fresh.tokens(prompt), {}}, 1, {}, {}, 0}, {}); });
  print_profile(("prompt of " + std::to_string(prompt)).c_str(), profile, 1);
  Prompt look;
  if (config.vision) {
    twice([&] {
      look = {fresh.tokens(1), {fresh.image(tiles)}};
      look.tokens.push_back(static_cast<uint32_t>(*config.image_token_index));
      session.generate({look, 1, {}, {}, 0}, {});
    });
    print_profile(("picture of " + std::to_string(tiles) + " tiles and two tokens").c_str(), profile, 1);
  }
  Prompt start = look;
  const std::vector<uint32_t> more = fresh.tokens(depth + 1);
  start.tokens.insert(start.tokens.end(), more.begin(), more.end());
  // The second time nothing is prefilled but the last token.
  twice([&] { session.generate({start, generate, {}, published_sampling, 0, Speculation::off}, {}); });
  print_profile(("a token @ " + std::to_string(depth) + ", of " + std::to_string(generate)).c_str(), profile, generate);
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options{{"--model", ""},       {"--device", ""},       {"--activations", "auto"}, {"--prompt", "512"},
                                             {"--generate", "128"}, {"--depth", "0"},       {"--tiles", "4"},          {"--repeats", "5"},
                                             {"--image", "1"},      {"--host-layers", "0"}, {"--profile", "0"}};
  for (int i = 1; i < argc; i += 2) {
    if (!options.count(argv[i]) || i + 1 == argc)
      return std::fprintf(stderr, "bench_model: what does %s mean? See the top of tools/bench_model.cpp.\n", argv[i]), 2;
    options[argv[i]] = argv[i + 1];
  }
  const auto number = [&](const char* name, uint32_t least, uint32_t most) {
    return std::min(std::max(static_cast<uint32_t>(std::strtoul(options[name].c_str(), nullptr, 10)), least), most);
  };
  try {
    auto instance = std::make_shared<vk::Instance>(false);
    const vk::DeviceInfo info = instance->choose(options["--device"]);
    vk::Device device(instance, info);
    vk::Profile profile;
    const bool profiling = options["--profile"] != "0";
    if (profiling) device.set_profile(&profile);
    vk::Memory memory(device, 0);
    const char* shaders = std::getenv("LOUPE_SHADERS");
    vk::Pipelines pipelines(device, shaders ? shaders : LOUPE_SHADERS_DIR, "");
    const std::string& wanted = options["--activations"];
    const Activations activations = wanted == "auto"  ? ops::best_activations(device, pipelines)
                                    : wanted == "f16" ? Activations::f16
                                                      : Activations::f32;
    const std::atomic<bool> cancel{false};
    const uint32_t prompt = number("--prompt", 1, 100000), generate = number("--generate", 2, 100000), depth = number("--depth", 0, 100000);
    const ModelFiles files = open_model(source_at(options["--model"]));
    const uint32_t layers = static_cast<uint32_t>(files.config.text.num_layers);
    LoadPlan plan;
    for (uint32_t i = number("--host-layers", 0, layers); i > 0; --i) plan.host_layers.insert(layers - i);
    Session session(device, memory, pipelines, load_model(files, device, memory, plan, nullptr, nullptr), activations, 0, cancel);
    if (std::max(prompt, depth + 2) + generate > session.context_length())
      throw Error(ErrorCode::context_full, "This model's context holds " + std::to_string(session.context_length()) + " tokens.",
                  "Ask for shorter prompts.");
    std::printf("%s, %s\n%s; %.2f GB of weights on the device, %.2f GB in the host's memory; %s repeats\n", info.name.c_str(),
                info.driver.c_str(), ops::matmul_path(device, activations).c_str(),
                static_cast<double>(session.model().placement.device_bytes) * 1e-9,
                static_cast<double>(session.model().placement.host_bytes) * 1e-9, options["--repeats"].c_str());
    const uint32_t tiles = number("--tiles", 1, 4);
    if (profiling)
      profile_kernels(session, profile, prompt, generate, depth, tiles);
    else
      bench(session, prompt, generate, depth, tiles, static_cast<int>(number("--repeats", 1, 100)), options["--image"] != "0");
    const vk::MemoryUse use = memory.use();
    std::printf("longest submission %.1f ms; device memory %.0f MB, at most %.0f MB, largest allocation %.0f MB\n",
                session.longest_submission_ms(), static_cast<double>(use.device_bytes) * 1e-6,
                static_cast<double>(use.device_peak_bytes) * 1e-6, static_cast<double>(use.largest_allocation_bytes) * 1e-6);
  } catch (const Error& error) {
    std::fprintf(stderr, "bench_model: %s %s\n", error.what(), error.next_step().c_str());
    return 1;
  }
  return 0;
}
