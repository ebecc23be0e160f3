#include "ops/variants.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>

#include "base/error.h"
#include "ops/matrix_tiles.h"
#include "ops/ops.h"

namespace loupe {
namespace {

using Kind = ops::Epilogue::Kind;
using Mask = ops::AttentionMask::Kind;

constexpr uint32_t rounds = 3;
/// A run is repeated until it takes so long, because clocks and submissions take a part of it.
constexpr double run_ms = 10;
constexpr uint32_t most_repeats = 64;
/// What another value than the table's has to win.
constexpr double clearly = 0.97;

/// How a question is put, and asked.
struct Subject {
  const char* name;
  /// Empty where there is nothing to choose.
  std::vector<uint32_t> (*values)(const vk::Device&, const vk::Pipelines&, Activations);
  void (*set)(const vk::Device&, vk::Quirks&, uint32_t);
  cases::Case (*check)(cases::Bench&);  ///< small, for the twin
  cases::Case (*time)(cases::Bench&, const cases::ModelShapes&);
};

const ops::HeadShape checked_heads{6, 2, 80};

/// As most people have them, where rows have whole blocks.
DType weights_of(uint32_t width) { return width % static_cast<uint32_t>(info(DType::q4_k).block) ? DType::bf16 : DType::q4_k; }

const Subject subjects[] = {
    // One subgroup a row needs no shared memory and no barrier; more of them share the rows of x.
    {"matvec_threads",
     [](const vk::Device& device, const vk::Pipelines&, Activations) {
       std::vector<uint32_t> values{device.quirks().matvec_threads};
       for (const uint32_t threads : {device.info().subgroup_size, 64u, 128u})
         if (threads >= 32 && threads <= 128 && std::find(values.begin(), values.end(), threads) == values.end()) values.push_back(threads);
       return values;
     },
     [](const vk::Device&, vk::Quirks& quirks, uint32_t value) { quirks.matvec_threads = value; },
     [](cases::Bench& b) { return cases::matmul(b, "check", 1, 512, 70, DType::q4_k, Kind::none); },
     [](cases::Bench& b, const cases::ModelShapes& s) {
       return cases::matmul(b, "time", 1, s.text_hidden, 2 * s.text_inner, weights_of(s.text_hidden), Kind::silu_mul);
     }},
    // What keeps a product from the stream: reads of x that meet in one bank of a cache, conversions, or neither.
    {"unit_reading", [](const vk::Device&, const vk::Pipelines&, Activations) { return std::vector<uint32_t>{0, 1, 2, 3}; },
     [](const vk::Device&, vk::Quirks& quirks, uint32_t value) { quirks.unit_reading = value; },
     [](cases::Bench& b) { return cases::matmul(b, "check", 1, 512, 70, DType::q4_k, Kind::silu_mul); },
     [](cases::Bench& b, const cases::ModelShapes& s) {
       return cases::matmul(b, "time", 1, s.text_hidden, 2 * s.text_inner, weights_of(s.text_hidden), Kind::silu_mul);
     }},
    // Workgroups of 64 or 256 threads, for 32 or 64 rows; where matrix units do it there is nothing to ask.
    {"attention_side",
     [](const vk::Device& device, const vk::Pipelines&, Activations activations) {
       if (activations == Activations::f16) return std::vector<uint32_t>{};
       const uint32_t own = device.quirks().attention_side;
       return std::vector<uint32_t>{own, own == 16 ? 8u : 16u};
     },
     [](const vk::Device&, vk::Quirks& quirks, uint32_t value) { quirks.attention_side = value; },
     [](cases::Bench& b) { return cases::attention(b, "check", 21, checked_heads, {Mask::causal, 50, {}, 0, 0, 0}, false); },
     [](cases::Bench& b, const cases::ModelShapes& s) {
       return cases::attention(b, "time", s.prompt, {s.heads, s.kv_heads, s.head_dim}, {Mask::causal, s.prompt}, false);
     }},
    // Indices into vk::attention_tiles, timed by the encoder's attention, which is most of a picture.
    {"attention_tile",
     [](const vk::Device& device, const vk::Pipelines& pipelines, Activations activations) {
       if (activations == Activations::f32 || !ops::has_half_matmul(device, pipelines)) return std::vector<uint32_t>{};
       std::vector<uint32_t> values;
       for (uint32_t i = 0; i < std::size(vk::attention_tiles); ++i)
         values.insert(vk::attention_tiles[i] == device.quirks().attention_tile ? values.begin() : values.end(), i);
       return values;
     },
     [](const vk::Device&, vk::Quirks& quirks, uint32_t value) { quirks.attention_tile = vk::attention_tiles[value]; },
     [](cases::Bench& b) { return cases::attention(b, "check", 70, {2, 1, 64}, {Mask::causal, 130, {}, 0, 0, 0}, true); },
     [](cases::Bench& b, const cases::ModelShapes& s) {
       const uint32_t padded = s.vision_rows / 4;
       return cases::attention_packed(b, "time", {s.vision_heads, s.vision_heads, s.vision_hidden / s.vision_heads},
                                      {Mask::vision, s.vision_rows, {}, 4, padded - 7, padded});
     }},
    // 0: large tiles where they fill the device; 1: always the small ones, which more workgroups share; 2 and more: other large ones.
    {"matrix_tile",
     [](const vk::Device& device, const vk::Pipelines& pipelines, Activations activations) {
       if (activations == Activations::f32 || !ops::has_half_matmul(device, pipelines)) return std::vector<uint32_t>{};
       std::vector<uint32_t> values{0, 1};
       for (uint32_t i = 0; i < std::size(ops::other_large_tiles); ++i) {
         const vk::MatrixTile& tile = ops::other_large_tiles[i];
         if (device.matrix_subgroup() == 32 && ops::shared_bytes_of(tile) <= device.info().max_shared_bytes) values.push_back(2 + i);
       }
       return values;
     },
     [](const vk::Device& device, vk::Quirks& quirks, uint32_t value) {
       quirks.matrix_tile.reset();
       quirks.large_matrix_tile.reset();
       if (value >= 2) quirks.large_matrix_tile = ops::other_large_tiles[value - 2];
       for (const ops::MatrixTiles& tiles : ops::matrix_tiles)
         if (value == 1 && tiles.subgroup == device.matrix_subgroup()) quirks.matrix_tile = tiles.small;
     },
     // Enough columns for the widest of them.
     [](cases::Bench& b) { return cases::matmul(b, "check", 130, 64, 48 * 256, DType::q8_0, Kind::none); },
     [](cases::Bench& b, const cases::ModelShapes& s) {
       return cases::matmul(b, "time", s.prompt, s.text_hidden, s.text_inner, weights_of(s.text_hidden), Kind::none);
     }},
};

const Subject& subject_of(const Question& question) {
  return *std::find_if(std::begin(subjects), std::end(subjects), [&](const Subject& one) { return one.name == question.name; });
}

void put(vk::Device& device, const Subject& subject, uint32_t value) {
  vk::Quirks quirks = device.quirks();
  subject.set(device, quirks, value);
  device.settle(quirks);
}

/// Times one question's values on the device.
class Contest {
 public:
  Contest(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations, const TimingLimits& limits)
      : device_(device), memory_(memory), pipelines_(pipelines), activations_(activations), limits_(limits), began_(limits.clock()) {}

  VariantTime ask(const Question& question) {
    const Subject& subject = subject_of(question);
    VariantTime found{question.name, {}, question.values.front()};
    for (const uint32_t value : question.values) found.values.push_back({value, 0, {}});
    for (VariantTime::Value& one : found.values) attempt(one, [&] { check(subject, one); });
    // The first run compiles, and says how often a run has to be repeated.
    std::optional<cases::Bench> bench;
    std::optional<cases::Case> timed;
    attempt(found.values.front(), [&] {
      bench.emplace(device_, memory_, pipelines_, activations_, cases::Bench::Fill::zeros);
      timed.emplace(subject.time(*bench, *limits_.shapes));
    });
    if (!timed) return found;
    for (VariantTime::Value& one : found.values) attempt(one, [&] { (void)run(subject, one.value, *bench, *timed, 1); });
    uint32_t repeats = 0;
    for (uint32_t round = 0; round < rounds; ++round)
      for (VariantTime::Value& one : found.values)
        attempt(one, [&] {
          if (!repeats) {
            const double once = run(subject, one.value, *bench, *timed, 1);
            repeats = static_cast<uint32_t>(std::clamp(std::ceil(run_ms / std::max(once, 1e-3)), 1.0, 1.0 * most_repeats));
          }
          const double ms = run(subject, one.value, *bench, *timed, repeats) / repeats;
          one.ms = one.ms > 0 ? std::min(one.ms, ms) : ms;
        });
    const VariantTime::Value& own = found.values.front();
    double best = own.ms * clearly;
    for (const VariantTime::Value& one : found.values)
      if (&one != &own && one.why_not.empty() && one.ms > 0 && own.ms > 0 && one.ms < best) best = one.ms, found.chosen = one.value;
    return found;
  }

  bool over() const { return limits_.clock() - began_ > limits_.budget_ms; }

 private:
  /// What fails rules its value out; a question that runs out of time keeps what it has.
  template <class Step>
  void attempt(VariantTime::Value& one, Step&& step) {
    if (!one.why_not.empty()) return;
    if (limits_.cancel && *limits_.cancel) throw Error(ErrorCode::cancelled, "The request was cancelled.");
    try {
      if (!over()) step();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled || error.code() == ErrorCode::device_lost) throw;
      one.why_not = error.what();
    }
  }

  void check(const Subject& subject, VariantTime::Value& one) {
    put(device_, subject, one.value);
    cases::Bench bench(device_, memory_, pipelines_, activations_, cases::Bench::Fill::random);
    const cases::Comparison comparison = cases::compare(subject.check(bench));
    if (!comparison.ok) one.why_not = comparison.detail;
  }

  double run(const Subject& subject, uint32_t value, cases::Bench& bench, const cases::Case& timed, uint32_t repeats) {
    put(device_, subject, value);
    bench.sync();
    const double began = limits_.clock();
    for (uint32_t i = 0; i < repeats; ++i) timed.record();
    bench.sync();
    return limits_.clock() - began;
  }

  vk::Device& device_;
  vk::Memory& memory_;
  vk::Pipelines& pipelines_;
  Activations activations_;
  const TimingLimits& limits_;
  double began_;
};

}  // namespace

std::vector<Question> questions_of(const vk::Device& device, const vk::Pipelines& pipelines, Activations activations) {
  std::vector<Question> questions;
  if (!device.quirks().timed) return questions;
  for (const Subject& subject : subjects)
    if (std::vector<uint32_t> values = subject.values(device, pipelines, activations); values.size() > 1)
      questions.push_back({subject.name, std::move(values)});
  return questions;
}

void settle(vk::Device& device, const std::vector<Question>& questions, const Answers& answers) {
  for (const Question& question : questions) {
    const auto answer = answers.find(question.name);
    const bool known =
        answer != answers.end() && std::find(question.values.begin(), question.values.end(), answer->second) != question.values.end();
    put(device, subject_of(question), known ? answer->second : question.values.front());
  }
}

std::vector<VariantTime> time_variants(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations,
                                       const std::vector<Question>& questions, const TimingLimits& limits) {
  const vk::Quirks before = device.quirks();
  try {
    Contest contest(device, memory, pipelines, activations, limits);
    std::vector<VariantTime> found;
    for (const Question& question : questions) {
      if (limits.progress) limits.progress(found.size(), questions.size());
      found.push_back(contest.ask(question));
      put(device, subject_of(question), found.back().chosen);
    }
    if (limits.progress) limits.progress(questions.size(), questions.size());
    return found;
  } catch (const Error&) {
    device.settle(before);
    throw;
  }
}

}  // namespace loupe
