// Kernels that are timed on the device, with clocks that say what the test wants.

#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/matrix_tiles.h"
#include "ops/variants.h"
#include "support.h"

namespace loupe::test {
namespace {

class Variants : public ::testing::Test {
 protected:
  Variants() : real_(device().quirks()) {
    vk::Quirks asked = real_;
    asked.timed = true;
    device().settle(asked);
  }
  ~Variants() override { device().settle(real_); }

  vk::Device& device() { return *engine().device; }
  std::vector<VariantTime> time(const std::vector<Question>& questions, TimingLimits limits) {
    limits.shapes = &cases::demo_shapes;
    return time_variants(device(), *engine().memory, *engine().pipelines, Activations::f32, questions, limits);
  }
  /// A clock on which each look costs what `cost` says of the kernels that are set.
  std::function<double()> clock(std::function<double(const vk::Quirks&)> cost) {
    return [this, cost] { return now_ += cost(device().quirks()); };
  }

  const Question threads_{"matvec_threads", {64, 32, 128}};

 private:
  vk::Quirks real_;
  double now_ = 0;
};

TEST_F(Variants, TheFastestIsChosenAndSet) {
  const auto found = time({threads_}, {1e6, nullptr, clock([](const vk::Quirks& q) { return q.matvec_threads == 128 ? 20.0 : 30.0; }), {}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].chosen, 128u);
  EXPECT_EQ(device().quirks().matvec_threads, 128u);
  ASSERT_EQ(found[0].values.size(), 3u);
  EXPECT_EQ(found[0].values[0].ms, 30);
  EXPECT_EQ(found[0].values[2].ms, 20);
  for (const VariantTime::Value& one : found[0].values) EXPECT_EQ(one.why_not, "") << one.value;
}

TEST_F(Variants, TheTableIsRightUnlessSomethingIsClearlyFaster) {
  for (const double cost : {30.0, 29.5, 31.0}) {
    const auto found =
        time({threads_}, {1e6, nullptr, clock([=](const vk::Quirks& q) { return q.matvec_threads == 64 ? 30.0 : cost; }), {}});
    EXPECT_EQ(found[0].chosen, 64u) << cost;
    EXPECT_EQ(device().quirks().matvec_threads, 64u) << cost;
  }
}

TEST_F(Variants, TheSameTimesGiveTheSameChoice) {
  const auto once = [&] {
    return time({threads_}, {1e6, nullptr, clock([](const vk::Quirks& q) { return q.matvec_threads == 64 ? 30.0 : 20.0; }), {}})[0].chosen;
  };
  EXPECT_EQ(once(), 32u) << "of equal ones the first";
  EXPECT_EQ(once(), 32u);
}

TEST_F(Variants, WhenTheTimeIsOverTheTableStays) {
  std::vector<std::pair<uint64_t, uint64_t>> seen;
  const auto found = time({threads_, {"attention_side", {8, 16}}},
                          {10, nullptr, clock([](const vk::Quirks& q) { return q.matvec_threads == 64 ? 30.0 : 1.0; }),
                           [&](uint64_t done, uint64_t total) { seen.emplace_back(done, total); }});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].chosen, 64u);
  EXPECT_EQ(found[1].chosen, 8u);
  EXPECT_EQ(found[1].values[1].ms, 0);
  EXPECT_EQ(seen, (std::vector<std::pair<uint64_t, uint64_t>>{{0, 2}, {1, 2}, {2, 2}}));
}

TEST_F(Variants, CancellingLeavesTheTable) {
  std::atomic<bool> cancel{false};
  const uint32_t before = device().quirks().matvec_threads;
  int looks = 0;
  try {
    time({threads_}, {1e6, &cancel, [&] { return cancel = ++looks > 6, looks * 10.0; }, {}});
    ADD_FAILURE() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_EQ(device().quirks().matvec_threads, before);
}

// A square of 2 x 2 threads does not load what it multiplies: its twin says so, however fast it is.
TEST_F(Variants, WhatComputesSomethingElseIsNeverChosen) {
  const auto found =
      time({{"attention_side", {8, 2}}}, {1e6, nullptr, clock([](const vk::Quirks& q) { return q.attention_side == 2 ? 1.0 : 30.0; }), {}});
  EXPECT_NE(found[0].values[1].why_not, "");
  EXPECT_EQ(found[0].chosen, 8u);
  EXPECT_EQ(device().quirks().attention_side, 8u);
}

TEST_F(Variants, RecordsOfOthersAreIgnored) {
  const std::vector<Question> questions{threads_};
  settle(device(), questions, {{"matvec_threads", 128}, {"shoe_size", 44}});
  EXPECT_EQ(device().quirks().matvec_threads, 128u);
  settle(device(), questions, {{"matvec_threads", 96}});
  EXPECT_EQ(device().quirks().matvec_threads, 64u) << "not one of its values";
  settle(device(), questions, {});
  EXPECT_EQ(device().quirks().matvec_threads, 64u);
}

TEST_F(Variants, ATileOfMatrixUnitsReplacesOneOfTheTable) {
  const std::vector<Question> questions{{"matrix_tile", {0, 1, 2, 3, 4}}};
  for (uint32_t i = 0; i < std::size(ops::other_large_tiles); ++i) {
    settle(device(), questions, {{"matrix_tile", 2 + i}});
    const vk::Quirks& quirks = device().quirks();
    ASSERT_TRUE(quirks.large_matrix_tile);
    EXPECT_EQ(quirks.large_matrix_tile->columns, ops::other_large_tiles[i].columns);
    EXPECT_EQ(quirks.large_matrix_tile->subgroup_columns, ops::other_large_tiles[i].subgroup_columns);
    EXPECT_FALSE(quirks.matrix_tile) << "small products keep small tiles";
  }
  settle(device(), questions, {});
  EXPECT_FALSE(device().quirks().large_matrix_tile);
}

// All that may be chosen on any device, against the twins.
TEST_F(Variants, EveryValueComputesTheSame) {
  for (const Activations activations : {Activations::f32, Activations::f16}) {
    if (activations == Activations::f16 && !ops::has_half_matmul(device(), *engine().pipelines)) continue;
    std::vector<Question> questions = questions_of(device(), *engine().pipelines, activations);
    questions.insert(questions.begin(), threads_);
    for (const Question& question : questions)
      for (const uint32_t value : question.values) {
        settle(device(), questions, {{question.name, value}});
        for (const cases::NamedCase& one : cases::self_test_cases()) {
          cases::Bench bench(device(), *engine().memory, *engine().pipelines, activations, cases::Bench::Fill::random);
          const cases::Comparison comparison = cases::compare(one.make(bench));
          EXPECT_TRUE(comparison.ok) << one.name << " with " << question.name << " " << value << ": " << comparison.detail;
        }
      }
  }
}

TEST_F(Variants, SoftwareDriversAreNotAsked) {
  const vk::Quirks quirks = vk::quirks_of(device().info());
  device().settle(quirks);
  EXPECT_EQ(questions_of(device(), *engine().pipelines, Activations::f32).empty(), device().info().kind == vk::DeviceKind::cpu);
}

}  // namespace
}  // namespace loupe::test
