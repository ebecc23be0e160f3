// The cases of ops/cases.h against their twins: what bench_ops times is right, in every type of weights.
#include "ops/cases.h"
#include "ops/self_test.h"
#include "support.h"

namespace loupe::test {
namespace {

using cases::Bench;

void check(const std::vector<cases::NamedCase>& list, Activations activations) {
  Engine& e = engine();
  for (const cases::NamedCase& one : list) {
    Bench bench(*e.device, *e.memory, *e.pipelines, activations, Bench::Fill::random);
    const cases::Comparison comparison = cases::compare(one.make(bench));
    EXPECT_TRUE(comparison.ok) << one.name << ": " << comparison.detail;
  }
}

TEST(OpCases, OfTheSelfTest) { check(cases::self_test_cases(), Activations::f32); }

TEST(OpCases, OfTheDemoModel) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32, DType::q8_0, DType::q4_k})
    check(cases::model_cases(cases::demo_shapes, dtype), Activations::f32);
}

TEST(OpCases, WithFloat16) {
  Engine& e = engine();
  if (!ops::has_half_matmul(*e.device, *e.pipelines)) GTEST_SKIP() << "This device has no cooperative matrices that the engine can use.";
  check(cases::self_test_cases(), Activations::f16);
  check(cases::model_cases(cases::demo_shapes, DType::bf16), Activations::f16);
}

/// A comparison that cannot fail would be worth nothing.
TEST(OpCases, SeeAWrongResult) {
  Engine& e = engine();
  Bench bench(*e.device, *e.memory, *e.pipelines, Activations::f32, Bench::Fill::random);
  for (const cases::NamedCase& one : cases::self_test_cases()) {
    cases::Case wrong = one.make(bench);
    wrong.record = [] {};
    EXPECT_FALSE(cases::compare(wrong).ok) << one.name;
  }
}

TEST(OpCases, OfOneNameAreOneLineOfTheReport) {
  Engine& e = engine();
  std::vector<std::string> names;
  for (const SelfTestItem& item : run_self_test(*e.device, *e.memory, *e.pipelines, Activations::f32)) {
    EXPECT_TRUE(item.ok) << item.name << ": " << item.detail;
    names.push_back(item.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"matrix-matrix product", "matrix-vector product", "8-bit weights", "4-bit weights",
                                             "4-bit weights, many rows", "norms", "attention, one row", "attention, causal",
                                             "attention, vision", "sampling"}));
}

}  // namespace
}  // namespace loupe::test
