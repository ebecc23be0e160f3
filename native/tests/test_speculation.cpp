// Guessing ahead: what is proposed, and when it pays. That answers stay the same is tested in test_session.cpp.

#include <gtest/gtest.h>

#include "session/speculation.h"

namespace loupe {
namespace {

using Tokens = std::vector<uint32_t>;

Tokens proposal_after(const Tokens& text) {
  PromptLookup lookup;
  for (uint32_t token : text) lookup.push(token);
  const auto proposal = lookup.propose();
  return {proposal.begin(), proposal.end()};
}

TEST(PromptLookup, ProposesWhatFollowedTheSameTokens) {
  EXPECT_EQ(proposal_after({1, 2, 3, 4, 5, 6, 7, 1, 2, 3}), (Tokens{4, 5, 6}));
  EXPECT_EQ(proposal_after({9, 1, 2, 3, 4, 5, 6, 1, 2, 3, 7, 8, 9, 1, 2, 3}), (Tokens{7, 8, 9})) << "the last time counts";
}

TEST(PromptLookup, ProposesNothingAfterWhatIsNew) {
  EXPECT_EQ(proposal_after({}), Tokens{});
  EXPECT_EQ(proposal_after({1, 2}), Tokens{});
  EXPECT_EQ(proposal_after({1, 2, 3}), Tokens{});
  EXPECT_EQ(proposal_after({1, 2, 3, 4, 5, 2, 3}), Tokens{}) << "two tokens are too few";
}

TEST(PromptLookup, GoesOnWhereTheTextRepeatsItself) {
  EXPECT_EQ(proposal_after({5, 5, 5, 5}), (Tokens{5, 5, 5}));
  EXPECT_EQ(proposal_after({1, 2, 1, 2, 1}), (Tokens{2, 1, 2}));
}

/// After some answers that repeat nothing.
SpeculationCost cost_of(double step_ms, double pass_ms) {
  SpeculationCost cost;
  for (int i = 0; i < 4; ++i) {
    cost.step_took(step_ms);
    cost.pass_took(pass_ms);
  }
  return cost;
}

TEST(SpeculationCost, PaysOnceProposalsComeTrueAndNoLonger) {
  SpeculationCost cost = cost_of(10, 15);
  EXPECT_FALSE(cost.pays()) << "nothing has come true";
  for (int i = 0; i < 3; ++i) cost.came_true(3);
  EXPECT_TRUE(cost.pays());
  for (int i = 0; i < 5; ++i) cost.came_true(0);
  EXPECT_FALSE(cost.pays());
}

TEST(SpeculationCost, NeverPaysWhereRowsCostAsMuchAsSteps) {
  SpeculationCost cost = cost_of(10, 40);
  for (int i = 0; i < 100; ++i) cost.came_true(3);
  EXPECT_FALSE(cost.pays());
}

TEST(SpeculationCost, TriesBeforeItKnows) {
  SpeculationCost cost;
  cost.step_took(10);
  for (int i = 0; i < 4; ++i) cost.came_true(3);
  EXPECT_TRUE(cost.pays());
  cost.pass_took(1000);  // caches that had to be filled
  EXPECT_TRUE(cost.pays());
  cost.pass_took(11);
  EXPECT_TRUE(cost.pays());
}

TEST(SpeculationCost, ForgetsOneSlowMeasurement) {
  SpeculationCost cost = cost_of(10, 15);
  for (int i = 0; i < 8; ++i) cost.came_true(3);
  cost.pass_took(60);
  EXPECT_TRUE(cost.pays());
  for (int i = 0; i < 64; ++i) cost.pass_took(60);
  EXPECT_FALSE(cost.pays()) << "what stays slow is believed";
}

TEST(Guesser, LearnsFromProposalsThatItDoesNotCheck) {
  SpeculationCost cost = cost_of(10, 15);
  Guesser guesser(Speculation::automatic, cost);
  const Tokens page{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29};
  for (uint32_t token : page) guesser.push(token);
  size_t first_check = 0;
  for (size_t said = 0; said < page.size() && !first_check; ++said) {
    guesser.push(page[said]);
    if (!guesser.propose().empty()) first_check = said;
  }
  EXPECT_GE(first_check, 5u) << "at first it only listens";
  EXPECT_LE(first_check, 12u);
}

TEST(Guesser, IsSilentWhereSpeculationIsOff) {
  SpeculationCost cost = cost_of(10, 10);
  Guesser off(Speculation::off, cost), always(Speculation::always, cost);
  for (uint32_t token : {1u, 2u, 3u, 4u, 1u, 2u, 3u}) {
    off.push(token);
    always.push(token);
  }
  EXPECT_TRUE(off.propose().empty());
  EXPECT_EQ(always.propose().size(), proposed_tokens);
}

}  // namespace
}  // namespace loupe
