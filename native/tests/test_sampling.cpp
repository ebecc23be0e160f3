// argmax and sample. A draw is the inverse of a cumulated distribution, so evenly spaced uniforms must give every
// token its share to within two draws: sharper than a chi-square test of random ones, and the same on every run.
#include <algorithm>
#include <cmath>
#include <set>

#include "support.h"

namespace loupe::test {
namespace {

class Argmax : public DeviceTest {
 protected:
  std::vector<uint32_t> on_device(const Floats& logits, uint32_t cols) {
    const uint32_t rows = static_cast<uint32_t>(logits.size()) / cols;
    const vk::Slice out = words(std::vector<uint32_t>(rows, 0xFFFFFFFF));
    ops::argmax(g, input(rows, cols, logits, 0, 1), out);
    return read_words(out, rows);
  }
};

TEST_F(Argmax, FindsTheLargest) {
  for (uint32_t cols : {1u, 2u, 255u, 256u, 257u, 1000u, 128256u})
    for (uint32_t rows : {1u, 3u}) {
      const Floats logits = Random(cols + rows).floats(rows * cols, 10);
      EXPECT_EQ(on_device(logits, cols), scalar::argmax(logits, cols)) << rows << " x " << cols;
    }
}

TEST_F(Argmax, TakesTheLowestOfEquals) {
  for (uint32_t cols : {300u, 1025u})
    for (const std::vector<uint32_t>& ties : {std::vector<uint32_t>{0, 1}, {7, 263}, {255, 256}, {299, 40, 41}, {290, 34}}) {
      Floats logits(cols, -1.0f);
      for (uint32_t at : ties) logits[at] = 2.5f;
      EXPECT_EQ(on_device(logits, cols)[0], *std::min_element(ties.begin(), ties.end())) << cols << " columns";
    }
  EXPECT_EQ(on_device(Floats(777, 0.0f), 777)[0], 0u);
}

TEST_F(Argmax, NegativeAndInfinite) {
  Floats logits(500, -INFINITY);
  EXPECT_EQ(on_device(logits, 500)[0], 0u);
  logits[321] = -3e38f;
  EXPECT_EQ(on_device(logits, 500)[0], 321u);
  logits[400] = INFINITY;
  EXPECT_EQ(on_device(logits, 500)[0], 400u);
}

class Sample : public DeviceTest {
 protected:
  /// One draw for each uniform; every draw has its own logits, because the penalty is applied in place.
  std::vector<uint32_t> draw(const Floats& logits, const std::vector<uint32_t>& recent, const ops::Sampling& sampling,
                             const std::vector<float>& uniforms) {
    const uint32_t n = static_cast<uint32_t>(logits.size());
    const Tensor original = row(logits), scratch = row(logits);
    const uint32_t stride = 256 / 4;
    const vk::Slice out = words(std::vector<uint32_t>(uniforms.size() * stride, 0xFFFFFFFF));
    for (size_t i = 0; i < uniforms.size(); ++i) {
      if (!recent.empty()) recorder.copy(original.slice, scratch.slice);
      const ops::SamplingInputs inputs = ops::sampling_inputs(sampling, recent, uniforms[i]);
      ops::sample(g, Tensor{scratch.slice, 1, n, 0}, ops::plan_of(sampling, n), bytes(&inputs, sizeof inputs), out.part(i * 256, 4));
    }
    std::vector<uint32_t> all = read_words(out, static_cast<uint32_t>(uniforms.size() * stride)), tokens;
    for (size_t i = 0; i < uniforms.size(); ++i) tokens.push_back(all[i * stride]);
    return tokens;
  }

  /// Each draw leaves its token to the step that follows, and the position one further.
  void check_handover(const Floats& logits, const ops::Sampling& sampling) {
    const uint32_t n = static_cast<uint32_t>(logits.size());
    const vk::Slice out = words({7}), token = words({8}), position = words({40});
    const ops::SamplingInputs inputs = ops::sampling_inputs(sampling, {}, 0.4f);
    for (uint32_t draws = 1; draws <= 3; ++draws) {
      ops::sample(g, row(logits), ops::plan_of(sampling, n), bytes(&inputs, sizeof inputs), out, {token, position});
      EXPECT_EQ(read_words(token, 1), read_words(out, 1)) << "temperature " << sampling.temperature;
      EXPECT_EQ(read_words(position, 1)[0], 40 + draws) << "temperature " << sampling.temperature;
    }
  }

  void check(const Floats& logits, const ops::Sampling& sampling, const std::vector<uint32_t>& recent, uint32_t draws) {
    const std::vector<double> p = scalar::sampling_distribution(logits, recent, sampling);
    std::vector<float> uniforms;
    for (uint32_t i = 0; i < draws; ++i) uniforms.push_back((static_cast<float>(i) + 0.5f) / static_cast<float>(draws));
    const std::vector<uint32_t> tokens = draw(logits, recent, sampling, uniforms);
    const std::string what = std::to_string(logits.size()) + " logits, temperature " + std::to_string(sampling.temperature) + ", top-k " +
                             std::to_string(sampling.top_k) + ", top-p " + std::to_string(sampling.top_p) + ", min-p " +
                             std::to_string(sampling.min_p) + ", penalty " + std::to_string(sampling.repetition_penalty);
    std::vector<uint32_t> counts(logits.size(), 0);
    for (uint32_t token : tokens) {
      ASSERT_LT(token, logits.size()) << what;
      ++counts[token];
    }
    for (size_t token = 0; token < p.size(); ++token) {
      EXPECT_LE(std::fabs(counts[token] - p[token] * draws), 2.0)
          << what << ": token " << token << " of probability " << p[token] << " was drawn " << counts[token] << " times";
      EXPECT_TRUE(p[token] > 0 || counts[token] == 0) << what << ": token " << token << " was filtered out";
      EXPECT_TRUE(p[token] * draws < 1.01 || counts[token] > 0) << what << ": token " << token << " belongs to the support";
    }
    for (size_t i = 0; i < uniforms.size(); ++i)
      EXPECT_EQ(tokens[i], scalar::sample(logits, recent, sampling, uniforms[i])) << what << ": uniform " << uniforms[i];
  }
};

TEST_F(Sample, HandsOverToTheStepThatFollows) {
  Random random(4);
  check_handover(random.floats(3000, 4), {});
  check_handover(random.floats(3000, 4), {0.8f, 0, 0.9f, 0, 1});
  check_handover(Floats(300, NAN), {0.8f, 0, 0.9f, 0, 1});
}

TEST_F(Sample, WithoutFilters) {
  for (uint32_t n : {1u, 2u, 50u, 257u, 600u})
    for (float temperature : {0.3f, 1.0f, 2.0f}) check(Random(n).floats(n, 3), {temperature}, {}, 100);
}

TEST_F(Sample, TopK) {
  const Floats logits = Random(21).floats(300, 4);
  for (uint32_t k : {1u, 2u, 5u, 40u, 299u, 300u, 5000u}) check(logits, {1, k}, {}, 60);
}

TEST_F(Sample, TopP) {
  const Floats logits = Random(22).floats(300, 4);
  for (float top_p : {0.0f, 0.05f, 0.5f, 0.9f, 0.97f}) check(logits, {0.8f, 0, top_p}, {}, 60);
}

TEST_F(Sample, MinP) {
  const Floats logits = Random(23).floats(300, 4);
  for (float min_p : {0.01f, 0.2f, 0.9f, 1.0f}) check(logits, {1.3f, 0, 1, min_p}, {}, 60);
}

TEST_F(Sample, FiltersTogether) {
  const Floats logits = Random(24).floats(500, 5);
  check(logits, {0.7f, 40, 0.9f, 0.05f, 1.2f}, {0, 3, 77, 499}, 60);
  check(logits, {1.5f, 10, 0.95f}, {}, 60);
}

// Tokens of known probabilities 1/2, 1/4, 1/8, 1/16, 1/16, hidden among impossible ones.
TEST_F(Sample, ExactSupportOfKnownProbabilities) {
  Floats logits(700, -200.0f);
  const std::vector<uint32_t> at{650, 3, 255, 256, 300};
  const double p[] = {0.5, 0.25, 0.125, 0.0625, 0.0625};
  for (size_t i = 0; i < at.size(); ++i) logits[at[i]] = static_cast<float>(std::log(p[i]));
  std::vector<float> uniforms;
  for (int i = 0; i < 32; ++i) uniforms.push_back((static_cast<float>(i) + 0.5f) / 32);
  const auto support = [&](const ops::Sampling& sampling) {
    const std::vector<uint32_t> tokens = draw(logits, {}, sampling, uniforms);
    return std::set<uint32_t>(tokens.begin(), tokens.end());
  };
  using Set = std::set<uint32_t>;
  EXPECT_EQ(support({1}), (Set{650, 3, 255, 256, 300}));
  EXPECT_EQ(support({1, 3}), (Set{650, 3, 255}));
  EXPECT_EQ(support({1, 4}), (Set{650, 3, 255, 256, 300})) << "equal logits stay together";
  EXPECT_EQ(support({1, 0, 0.4f}), (Set{650}));
  EXPECT_EQ(support({1, 0, 0.6f}), (Set{650, 3}));
  EXPECT_EQ(support({1, 0, 0.8f}), (Set{650, 3, 255}));
  EXPECT_EQ(support({1, 0, 1, 0.2f}), (Set{650, 3, 255}));
  EXPECT_EQ(support({1, 0, 1, 0.3f}), (Set{650, 3}));
  EXPECT_EQ(support({1, 2, 0.99f}), (Set{650, 3}));
}

TEST_F(Sample, Penalty) {
  Floats logits = Random(25).floats(260, 3);
  logits[5] = 4;
  logits[6] = -2;
  check(logits, {1, 0, 1, 0, 1.7f}, {5, 6, 0, 259}, 200);
  check(logits, {1, 0, 1, 0, 0.5f}, {5, 6}, 200);
  std::vector<uint32_t> all(260);
  for (uint32_t i = 0; i < all.size(); ++i) all[i] = i;  // more tokens than threads
  check(logits, {1, 0, 1, 0, 1.1f}, all, 100);
}

TEST_F(Sample, EndsOfTheInterval) {
  const Floats logits = Random(26).floats(513, 2);
  const float last = std::nextafter(1.0f, 0.0f);
  EXPECT_EQ(draw(logits, {}, {1}, {0.0f, last}), (std::vector<uint32_t>{0, 512}));
  EXPECT_EQ(draw(logits, {}, {1, 1}, {0.0f, 0.5f, last}), std::vector<uint32_t>(3, scalar::argmax(logits, 513)[0]));
}

TEST_F(Sample, GreedyIsArgmaxAfterThePenalty) {
  Floats logits(400, 0.0f);
  logits[30] = logits[20] = 4;
  logits[10] = 5;
  EXPECT_EQ(draw(logits, {}, {0}, {0.99f})[0], 10u);
  EXPECT_EQ(draw(logits, {10}, {0, 0, 1, 0, 2}, {0.99f})[0], 20u);
}

TEST_F(Sample, WholeVocabulary) {
  const Floats logits = Random(27).floats(128256, 12);
  check(logits, {0.6f, 50, 0.9f}, {1, 2, 3}, 4);
}

// The twin's very tokens, where no rounding could be agreed on otherwise: most draws of a flat distribution lie near a boundary.
TEST_F(Sample, DrawsTheTwinsTokens) {
  Random random(28);
  for (uint32_t n : {64u, 255u, 16385u, 128256u})
    for (float spread : {1e-3f, 1.0f, 30.0f})
      for (const ops::Sampling& sampling : {ops::Sampling{1}, {0.6f, 0, 0.9f}, {1.2f, 60, 1}, {0.8f, 40, 0.95f, 0.01f, 1.3f}}) {
        const Floats logits = random.floats(n, spread);
        std::vector<float> uniforms;
        for (int i = 0; i < 3; ++i) uniforms.push_back(static_cast<float>(random.bits() >> 40) * 0x1p-24f);
        const std::vector<uint32_t> recent{0, n / 2, n - 1};
        const std::vector<uint32_t> tokens = draw(logits, recent, sampling, uniforms);
        for (size_t i = 0; i < uniforms.size(); ++i)
          EXPECT_EQ(tokens[i], scalar::sample(logits, recent, sampling, uniforms[i]))
              << n << " logits up to " << spread << ", temperature " << sampling.temperature << ", uniform " << uniforms[i];
      }
}

// Whole numbers instead of exp(): as good as float32's.
TEST(SampleTwin, DrawsFromTheDistribution) {
  constexpr uint32_t n = 3000;
  const Floats logits = Random(29).floats(n, 6);
  for (const ops::Sampling& sampling : {ops::Sampling{0.7f}, {0.7f, 0, 0.9f}, {1.5f, 200, 1}, {1.0f, 500, 0.8f, 0.02f}}) {
    const std::vector<double> p = scalar::sampling_distribution(logits, {}, sampling);
    // The uniform number at which a token begins to be drawn is the probability of those before it.
    double before = 0;
    for (uint32_t token = 0; token < n; ++token) {
      if (p[token] > 1e-5 && before > 1e-5) {
        EXPECT_EQ(scalar::sample(logits, {}, sampling, static_cast<float>(before + 0.01 * p[token] + 3e-7)), token) << "from " << before;
        EXPECT_LT(scalar::sample(logits, {}, sampling, static_cast<float>(before - 0.01 * p[token] - 3e-7)), token) << "below " << before;
      }
      before += p[token];
    }
  }
}

TEST_F(Sample, LogitsThatAreNoNumbers) {
  EXPECT_EQ(draw(Floats(500, NAN), {}, {1, 0, 0.9f}, {0.5f})[0], 0u);
  EXPECT_EQ(draw(Floats(500, -INFINITY), {}, {1, 40, 0.9f}, {0.5f})[0], 0u);
  Floats logits(500, 1.0f);
  logits[77] = INFINITY;
  EXPECT_EQ(draw(logits, {}, {1, 40, 0.9f}, {0.5f})[0], 77u);
}

}  // namespace
}  // namespace loupe::test
