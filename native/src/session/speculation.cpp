#include "session/speculation.h"

#include <algorithm>

namespace loupe {
namespace {

/// Passes whose time is not yet believed: the first ones may fill caches.
constexpr uint64_t tried_passes = 2;
/// Tokens a pass must promise before the first ones are tried, and how much faster than steps it must be afterwards.
constexpr double worth_trying = 1.75, margin = 1.1;
/// Weight of the newest proposal: text that repeats another begins and ends suddenly.
constexpr double newest = 0.25;
/// Weight of a measurement that is longer than those before.
constexpr double slower = 1.0 / 16;

}  // namespace

uint64_t PromptLookup::end_key() const {
  // Exact up to 2^21 tokens of vocabulary; beyond, a collision would cost a wrong guess and no more.
  uint64_t key = 0;
  for (size_t i = tokens_.size() - agreeing; i < tokens_.size(); ++i) key = key << 21 ^ tokens_[i];
  return key;
}

void PromptLookup::push(uint32_t token) {
  if (tokens_.size() >= agreeing) followers_[end_key()] = static_cast<uint32_t>(tokens_.size());
  tokens_.push_back(token);
}

std::span<const uint32_t> PromptLookup::propose() {
  proposal_.clear();
  if (tokens_.size() < agreeing) return {};
  const auto found = followers_.find(end_key());
  if (found == followers_.end()) return {};
  // A text that repeats itself goes on in what was just proposed.
  for (size_t from = found->second; proposal_.size() < proposed_tokens; ++from)
    proposal_.push_back(from < tokens_.size() ? tokens_[from] : proposal_[from - tokens_.size()]);
  return proposal_;
}

void SpeculationCost::follow(double& value, double measured, bool first) {
  value = first || measured < value ? measured : value + slower * (measured - value);
}

void SpeculationCost::came_true(uint32_t right) { expected_ += newest * (right - expected_); }

bool SpeculationCost::pays() const {
  const double tokens = 1 + expected_;
  if (passes_ < tried_passes || steps_ == 0) return tokens >= worth_trying;
  return tokens * step_ms_ >= margin * pass_ms_;
}

void Guesser::follow(uint32_t token) {
  lookup_.push(token);
  if (awaited_.empty()) return;
  const bool right = token == awaited_[came_];
  came_ += right;
  if (right && came_ < awaited_.size()) return;
  cost_.came_true(came_);
  awaited_.clear();
}

std::span<const uint32_t> Guesser::propose() {
  if (mode_ == Speculation::off || !awaited_.empty()) return {};
  const std::span<const uint32_t> proposal = lookup_.propose();
  if (proposal.empty() || mode_ == Speculation::always || cost_.pays()) return proposal;
  awaited_.assign(proposal.begin(), proposal.end());
  came_ = 0;
  return {};
}

}  // namespace loupe
