#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/common.h"
#include "ops/ops.h"
#include "ops/scalar.h"

namespace loupe::ops {

void argmax(Graph& g, const Tensor& logits, const vk::Slice& out) {
  struct Push {
    uint32_t cols, offset;
  };
  static_assert(sizeof(Push) == 8);
  g.run("argmax", {}, {vk::reads(logits.slice), vk::writes(out)}, Push{logits.cols, logits.offset}, {logits.rows},
        {elements(logits), elements(logits) * 4});
}

void sample(Graph& g, const Tensor& logits, const vk::Slice& recent, uint32_t recent_count, const Sampling& sampling, float uniform,
            const vk::Slice& out) {
  struct Push {
    uint32_t n, offset, recent_count;
    float temperature;
    uint32_t top_k;
    float top_p, min_p, repetition_penalty, uniform;
  };
  static_assert(sizeof(Push) == 36);
  // Greedy is a draw from the most probable tokens alone; 0 takes the lowest of equals, as argmax does.
  const bool greedy = sampling.temperature <= 0;
  const float temperature = greedy ? 1 : sampling.temperature;
  g.run("sample", {}, {vk::updates(logits.slice), vk::reads(recent), vk::writes(out)},
        Push{logits.cols, logits.offset, recent_count, temperature, greedy ? 1 : sampling.top_k, sampling.top_p, sampling.min_p,
             sampling.repetition_penalty, greedy ? 0 : uniform},
        {1}, {elements(logits) * 200, elements(logits) * 4 * 70});
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

std::vector<double> sampling_distribution(Floats logits, std::span<const uint32_t> recent, const ops::Sampling& sampling) {
  for (uint32_t token : recent)
    logits[token] = logits[token] > 0 ? logits[token] / sampling.repetition_penalty : logits[token] * sampling.repetition_penalty;
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

uint32_t sample(const Floats& logits, std::span<const uint32_t> recent, const ops::Sampling& sampling, float uniform) {
  const std::vector<double> p = sampling_distribution(logits, recent, sampling);
  double before = 0;
  uint32_t last = 0;
  for (uint32_t token = 0; token < p.size(); ++token) {
    if (p[token] == 0) continue;
    last = token;
    before += p[token];
    if (before > uniform) break;
  }
  return last;
}

}  // namespace loupe::scalar
