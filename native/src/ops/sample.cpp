#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {
namespace {

/// Parts that a row of logits is cut into, each read by one workgroup. At most as many as the shaders have room for.
uint32_t parts_of(const Graph& g, const Tensor& logits) { return std::min(divide_up(logits.cols, g.device.quirks().logits_a_part), 64u); }

/// The largest of each part, [rows, parts] pairs.
vk::Slice best_of_parts(Graph& g, const Tensor& logits) {
  struct Push {
    uint32_t cols, offset, parts;
  };
  static_assert(sizeof(Push) == 12);
  const uint32_t parts = parts_of(g, logits);
  const vk::Slice best = g.arena.take(static_cast<uint64_t>(logits.rows) * parts * 8);
  g.run("argmax", {}, {vk::reads(logits.slice), vk::writes(best)}, Push{logits.cols, logits.offset, parts}, {parts, logits.rows},
        {elements(logits), elements(logits) * 4});
  return best;
}

void penalise(Graph& g, const Tensor& logits, const vk::Slice& inputs) {
  g.run("penalise", {}, {vk::updates(logits.slice), vk::reads(inputs)}, logits.offset, {divide_up(most_penalised, 256)},
        {most_penalised, most_penalised * 12.0});
}

constexpr uint32_t bins = 2048;
/// `Work` of common/sampling.glsl: what one dispatch leaves to the next, and three histograms.
constexpr uint64_t work_bytes = (9 + 2 * 64 + 3 * 3 * bins) * 4;

/// The bindings of the last dispatch of a draw that hand over; they must be something.
struct Hands {
  vk::Binding token, position;
  uint32_t are_used;
  Hands(const Handover& next, const vk::Slice& unused)
      : token(next.token ? vk::writes(next.token) : vk::reads(unused)),
        position(next.token ? vk::updates(next.position) : vk::reads(unused)),
        are_used(static_cast<bool>(next.token)) {}
};

void largest(Graph& g, const Tensor& logits, const vk::Slice& out, const Handover& next) {
  Arena::Scope scope(g.arena);
  const vk::Slice best = best_of_parts(g, logits);
  const uint32_t parts = parts_of(g, logits);
  const Hands hands(next, best);
  g.run("argmax_merge", {hands.are_used}, {vk::reads(best), vk::writes(out), hands.token, hands.position}, parts, {logits.rows},
        {64.0 * logits.rows, 512.0 * logits.rows});
}

}  // namespace

void argmax(Graph& g, const Tensor& logits, const vk::Slice& out) { largest(g, logits, out, {}); }

SamplingPlan plan_of(const Sampling& sampling, uint32_t vocabulary) {
  const bool greedy = sampling.temperature <= 0;
  return {sampling.repetition_penalty != 1, greedy, !greedy && sampling.top_k > 0 && sampling.top_k < vocabulary,
          !greedy && sampling.top_p < 1};
}

SamplingInputs sampling_inputs(const Sampling& sampling, std::span<const uint32_t> penalised, float uniform) {
  const auto fraction = [](float value) { return static_cast<uint32_t>(std::ceil(std::clamp(value, 0.0f, 1.0f) * 0x1p24f)); };
  SamplingInputs inputs;
  inputs.penalty = sampling.repetition_penalty;
  inputs.inverse_penalty = 1 / sampling.repetition_penalty;
  if (sampling.temperature > 0) inputs.scale = static_cast<float>(std::numbers::log2e / sampling.temperature * 0x1p27);
  inputs.top_k = sampling.top_k;
  inputs.top_p = fraction(sampling.top_p);
  const double octaves = sampling.min_p > 0 ? std::max(0.0, -std::log2(static_cast<double>(sampling.min_p))) : 32;
  inputs.farthest = static_cast<uint32_t>(std::min(octaves * 0x1p27, 0x1p32 - 1));
  inputs.uniform = std::min(static_cast<uint32_t>(uniform * 0x1p24f), (1u << 24) - 1);
  inputs.penalised_count = static_cast<uint32_t>(std::min<size_t>(penalised.size(), most_penalised));
  std::copy_n(penalised.begin(), inputs.penalised_count, inputs.penalised.begin());
  return inputs;
}

void sample(Graph& g, const Tensor& logits, const SamplingPlan& plan, const vk::Slice& inputs, const vk::Slice& out, const Handover& next) {
  Arena::Scope scope(g.arena);
  vk::Slice work;
  if (!plan.greedy) {
    work = g.arena.take(work_bytes);
    g.recorder.fill(work, 0);  // first, because it waits for whoever used this memory, and what follows waits for the logits anyway
  }
  if (plan.penalty) penalise(g, logits, inputs);
  if (plan.greedy) return largest(g, logits, out, next);
  struct Push {
    uint32_t n, offset, parts, has_top_k, has_top_p;
  };
  static_assert(sizeof(Push) == 20);
  const uint32_t parts = parts_of(g, logits);
  if (divide_up(logits.cols, parts) > 0xFFFF)
    throw Error(ErrorCode::internal, "sample: a part of " + std::to_string(logits.cols) + " logits has more than 16 bits count.");
  const vk::Slice best = best_of_parts(g, logits);
  const Push push{logits.cols, logits.offset, parts, plan.top_k, plan.top_p};
  const vk::Cost cost{elements(logits) * 60, elements(logits) * 4 + parts * 3.0 * bins * 4};
  const auto pass = [&](const char* shader, const std::vector<uint32_t>& constants) {
    g.run(shader, constants, {vk::reads(logits.slice), vk::reads(best), vk::reads(inputs), vk::updates(work)}, push, {parts}, cost);
  };
  if (plan.top_k || plan.top_p) pass("sample_histogram", {0});
  if (plan.top_k) pass("sample_histogram", {1});
  if (plan.top_p) pass("sample_histogram", {2});
  pass("sample_sums", {});
  const Hands hands(next, best);
  g.run("sample_draw", {hands.are_used},
        {vk::reads(logits.slice), vk::reads(best), vk::reads(inputs), vk::reads(work), vk::writes(out), hands.token, hands.position}, push,
        {1}, {elements(logits) / parts * 60, elements(logits) / parts * 8});
}

}  // namespace loupe::ops

namespace loupe::scalar {

std::vector<uint32_t> argmax(const Floats& logits, uint32_t cols) {
  std::vector<uint32_t> out;
  for (size_t row = 0; row < logits.size() / cols; ++row) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row * cols);
    out.push_back(static_cast<uint32_t>(std::max_element(begin, begin + cols) - begin));
  }
  return out;
}

namespace {

void penalise(Floats& logits, std::span<const uint32_t> tokens, float penalty) {
  const float inverse = 1 / penalty;
  for (uint32_t token : tokens) logits[token] *= logits[token] > 0 ? inverse : penalty;
}

}  // namespace

std::vector<double> sampling_distribution(Floats logits, std::span<const uint32_t> recent, const ops::Sampling& sampling) {
  penalise(logits, recent, sampling.repetition_penalty);
  const size_t n = logits.size();
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return logits[a] > logits[b]; });
  const double highest = logits[order[0]];
  if (sampling.temperature <= 0) {
    std::vector<double> certain(n, 0);
    certain[order[0]] = 1;
    return certain;
  }
  auto weight = [&](uint32_t token) { return std::exp((logits[token] - highest) / sampling.temperature); };

  // Equal logits stay or go together.
  double threshold = -INFINITY;
  if (sampling.top_k > 0 && sampling.top_k < n) threshold = logits[order[sampling.top_k - 1]];
  if (sampling.top_p < 1) {
    double all = 0, kept = 0;
    for (uint32_t token : order)
      if (logits[token] >= threshold) all += weight(token);
    for (uint32_t token : order) {
      kept += weight(token);
      if (kept >= sampling.top_p * all) {
        threshold = std::max<double>(threshold, logits[token]);
        break;
      }
    }
  }
  if (sampling.min_p > 0)
    threshold = std::max(threshold, std::min(highest, highest + sampling.temperature * std::log(static_cast<double>(sampling.min_p))));
  std::vector<double> out(n, 0);
  double total = 0;
  for (uint32_t token = 0; token < n; ++token)
    if (logits[token] >= threshold) total += out[token] = weight(token);
  for (double& p : out) p /= total;
  return out;
}

namespace {

constexpr uint32_t never = 0xFFFFFFFF;
/// Tokens whose distances agree in all but these bits stay or go together.
constexpr uint32_t fine_bits = 10;

/// See distance_of, mass_of and share_of in shaders/common/sampling.glsl: the same operations on the same bits.
uint32_t distance_of(float logit, float highest, float scale) {
  if (logit >= highest) return 0;
  const float distance = (highest - logit) * scale;
  return distance < 4294967040.0f ? static_cast<uint32_t>(distance) : never;
}
uint32_t high_product(uint32_t a, uint32_t b) { return static_cast<uint32_t>(static_cast<uint64_t>(a) * b >> 32); }
uint32_t mass_of(uint32_t distance) {
  if (distance == never) return 0;
  const uint32_t z = high_product(distance << 5, 2977044472u);
  uint32_t power = 0x80000000u;
  for (uint32_t k = 10; k >= 1; --k) power = 0x80000000u - high_product(z, power) / k;
  const uint32_t octaves = distance >> 27;
  return octaves == 0 ? power : (power + (1u << (octaves - 1))) >> octaves;
}
uint64_t share_of(uint64_t mass, uint32_t share) { return (mass >> 24) * share + ((mass & 0xFFFFFF) * share >> 24); }

}  // namespace

uint32_t sample(Floats logits, std::span<const uint32_t> recent, const ops::Sampling& sampling, float uniform) {
  const uint32_t n = static_cast<uint32_t>(logits.size());
  const ops::SamplingPlan plan = ops::plan_of(sampling, n);
  const ops::SamplingInputs inputs = ops::sampling_inputs(sampling, recent, uniform);
  if (plan.penalty) penalise(logits, recent, sampling.repetition_penalty);
  const uint32_t best = argmax(logits, n)[0];
  if (plan.greedy) return best;

  struct Token {
    uint32_t distance, mass;
  };
  std::vector<Token> tokens, order;
  for (float logit : logits) {
    const uint32_t distance = distance_of(logit, std::max(logits[best], -3.4e38f), inputs.scale);
    tokens.push_back({distance, mass_of(distance)});
    if (tokens.back().mass > 0) order.push_back(tokens.back());
  }
  std::stable_sort(order.begin(), order.end(), [](const Token& a, const Token& b) { return a.distance < b.distance; });
  const auto limit_at = [](const Token& token) { return token.distance | ((1u << fine_bits) - 1); };
  const auto mass_up_to = [&](uint32_t limit) {
    uint64_t mass = 0;
    for (const Token& token : tokens) mass += token.distance <= limit ? token.mass : 0;
    return mass;
  };
  uint32_t limit = never;
  if (plan.top_k && inputs.top_k <= order.size()) limit = limit_at(order[inputs.top_k - 1]);
  if (plan.top_p) {
    const uint64_t wanted = std::max<uint64_t>(share_of(mass_up_to(limit), inputs.top_p), 1);
    uint64_t kept = 0;
    for (const Token& token : order)
      if ((kept += token.mass) >= wanted) {
        limit = std::min(limit, limit_at(token));
        break;
      }
  }
  limit = std::min(limit, inputs.farthest);

  const uint64_t wanted = share_of(mass_up_to(limit), inputs.uniform);
  uint64_t so_far = 0;
  for (uint32_t token = 0; token < n; ++token) {
    if (tokens[token].distance <= limit) so_far += tokens[token].mass;
    if (so_far > wanted) return token;
  }
  return 0;  // logits that are no numbers
}

}  // namespace loupe::scalar
