// The whole engine against the reference values of the tiny checkpoint, and what a session keeps between turns.

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fixtures.h"
#include "session/session.h"
#include "support.h"
#include "weights/convert.h"

namespace loupe {
namespace {

using test::engine;

std::filesystem::path tiny() { return test::reference() / "tiny"; }

struct Case {
  std::string name;
  Prompt prompt;
  std::filesystem::path expected;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

/// The tiles that gave the reference's pixel values: normalisation undone, exactly, because they were bytes.
std::vector<PreparedImage> images_of(const SafetensorsFile& expected, const ModelConfig& config, const std::string& name) {
  std::vector<PreparedImage> images;
  if (!expected.find("aspect_ratio_ids")) return images;
  const TensorView* pixels = expected.find("pixel_values");
  // One reference file holds only a sample of them (fixtures/tiles/make.ts).
  const std::vector<float> values =
      pixels ? read_floats(*pixels) : read_floats(SafetensorsFile(test::fixtures() / "tiles" / (name + ".safetensors")).at("pixel_values"));
  const auto ids = read_integers(expected.at("aspect_ratio_ids")), tiles = read_integers(expected.at("num_tiles"));
  const VisionConfig& vision = *config.vision;
  const size_t area = static_cast<size_t>(vision.image_size) * vision.image_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    PreparedImage image{name + "-" + std::to_string(i), {}, static_cast<uint32_t>(tiles[i]), static_cast<uint32_t>(ids[i])};
    for (size_t tile = 0; tile < image.num_tiles; ++tile)
      for (size_t p = 0; p < area; ++p)
        for (size_t c = 0; c < 3; ++c) {
          const float value = values[((i * vision.max_num_tiles + tile) * 3 + c) * area + p];
          image.tiles.push_back(static_cast<uint8_t>(std::lround((value * vision.image_std[c] + vision.image_mean[c]) * 255)));
        }
    images.push_back(std::move(image));
  }
  return images;
}

std::vector<Case> load_cases() {
  const ModelConfig config = load_model_config(tiny());
  std::ifstream file(tiny() / "cases.json");
  std::vector<Case> cases;
  const nlohmann::json index = nlohmann::json::parse(file);
  for (const auto& entry : index.at("cases")) {
    Case c;
    c.name = entry.at("name");
    c.expected = tiny() / entry.at("expected").get<std::string>();
    c.prompt.tokens = entry.at("tokens").get<std::vector<uint32_t>>();
    c.prompt.images = images_of(SafetensorsFile(c.expected), config, c.name);
    cases.push_back(std::move(c));
  }
  return cases;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = load_cases();
  return list;
}

const Case& case_named(const std::string& name) {
  for (const Case& c : cases())
    if (c.name == name) return c;
  throw Error(ErrorCode::internal, "no case " + name);
}

std::atomic<bool> cancel_flag{false};

std::unique_ptr<Session> open_session(Activations activations = Activations::f32, uint32_t context = 2048) {
  cancel_flag = false;
  auto& e = engine();
  return std::make_unique<Session>(*e.device, *e.memory, *e.pipelines, load_model(tiny(), *e.device, *e.memory, nullptr, nullptr),
                                   activations, context, cancel_flag);
}

double relative_l2(const std::vector<float>& found, const std::vector<float>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// A stored tensor, or the elements of `found` that were stored as a sample of it.
double distance_to_stored(std::vector<float> found, const SafetensorsFile& expected, const std::string& name) {
  if (const TensorView* whole = expected.find(name)) return relative_l2(found, read_floats(*whole));
  const auto step = static_cast<size_t>(read_integers(expected.at(name + ".step")).at(0));
  std::vector<float> sample;
  for (size_t i = 0; i < found.size(); i += step) sample.push_back(found[i]);
  return relative_l2(sample, read_floats(expected.at(name + ".sample")));
}

GenerateRequest greedy(const Prompt& prompt, uint32_t max_tokens) { return {prompt, max_tokens, {}, {}, 0}; }

struct Limits {
  double vision, logits, tie;
};
/// Float32 throughout: sums in another order than the reference's.
constexpr Limits exact{1e-4, 2e-4, 1e-3};
/// Matrix inputs with 11 significant bits, twelve layers deep.
constexpr Limits half{5e-3, 5e-3, 5e-2};

void expect_case(const Case& c, Activations activations) {
  const Limits& limits = activations == Activations::f16 ? half : exact;
  const SafetensorsFile expected(c.expected);
  const auto wanted_tokens = read_integers(expected.at("greedy_tokens"));
  const auto session = open_session(activations);
  const TraceResult trace = session->trace(c.prompt, static_cast<uint32_t>(wanted_tokens.size()));
  if (!c.prompt.images.empty()) {
    EXPECT_LE(distance_to_stored(trace.vision_output, expected, "vision_output"), limits.vision);
    EXPECT_LE(distance_to_stored(trace.cross_attention_states, expected, "cross_attention_states"), limits.vision);
  }
  EXPECT_LE(distance_to_stored(trace.logits, expected, "logits"), limits.logits);
  // After a token that differs the continuation is another text, so only what comes before is compared.
  const auto greedy_logits = read_floats(expected.at("greedy_logits"));
  const size_t vocabulary = greedy_logits.size() / wanted_tokens.size();
  for (size_t i = 0; i < wanted_tokens.size(); ++i) {
    const std::vector<float> row(greedy_logits.begin() + static_cast<long>(i * vocabulary),
                                 greedy_logits.begin() + static_cast<long>((i + 1) * vocabulary));
    const std::vector<float> found(trace.greedy_logits.begin() + static_cast<long>(i * vocabulary),
                                   trace.greedy_logits.begin() + static_cast<long>((i + 1) * vocabulary));
    EXPECT_LE(relative_l2(found, row), limits.logits) << "greedy step " << i;
    if (trace.greedy_tokens[i] == wanted_tokens[i]) continue;
    EXPECT_LE(row[static_cast<size_t>(wanted_tokens[i])] - row[trace.greedy_tokens[i]], limits.tie)
        << "greedy step " << i << " is not a tie";
    break;
  }
}

class Reference : public ::testing::TestWithParam<Case> {};

TEST_P(Reference, Float32) { expect_case(GetParam(), Activations::f32); }

TEST_P(Reference, Float16) {
  if (!ops::has_half_matmul(*engine().device, *engine().pipelines))
    GTEST_SKIP() << engine().device->info().name << " has no cooperative matrices";
  expect_case(GetParam(), Activations::f16);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Reference, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// Five dispatches a layer that runs, and five around them. A draw from many takes three more, a penalty one; it is one submission
// all the same. Each waits for the one before at most.
TEST(Session, CountsWhatTheDeviceIsAskedToDoForAToken) {
  for (const char* name : {"text", "text-after-image-dialogue"}) {
    const Prompt& prompt = case_named(name).prompt;
    // Each request of its own session: a recording takes over the speed that the one before has measured.
    const auto measure = [](const GenerateRequest& request) { return open_session()->generate(request, {}).statistics.token_work; };
    const TextConfig text = open_session()->model().config.text;
    const double cross_layers = static_cast<double>(text.cross_attention_layers.size()), self_layers = text.num_layers - cross_layers;
    const double layers = 5 * (self_layers + (prompt.images.empty() ? 0 : cross_layers));
    GenerateRequest request = greedy(prompt, 4);
    const DeviceWork work = measure(request);
    EXPECT_EQ(work.dispatches, layers + 5) << name;
    EXPECT_EQ(work.submissions, 1) << name;
    EXPECT_LE(work.barriers, work.dispatches - work.submissions) << name;
    request.sampling = {0.6f, 0, 0.9f, 0, 1};
    const DeviceWork drawn = measure(request);
    EXPECT_EQ(drawn.dispatches, work.dispatches + 3) << name;
    EXPECT_EQ(drawn.submissions, 1) << name;
    EXPECT_LE(drawn.barriers, drawn.dispatches - 1) << name;
    request.sampling = {0, 0, 1, 0, 1.1f};
    const DeviceWork penalised = measure(request);
    EXPECT_EQ(penalised.dispatches, work.dispatches + 1) << name;
    EXPECT_EQ(penalised.submissions, 1) << name;
  }
}

TEST(Session, SecondImageOnCachedPrefixEqualsFullComputation) {
  const Prompt& both = case_named("second-image-replaces-first").prompt;
  const uint32_t image_token = 320;
  const auto second = std::find(std::find(both.tokens.begin(), both.tokens.end(), image_token) + 1, both.tokens.end(), image_token);
  Prompt first{{both.tokens.begin(), second}, {both.images[0]}};

  const auto session = open_session();
  session->generate(greedy(first, 1), {});
  const GenerateResult turn2 = session->generate(greedy(both, 1), {});
  EXPECT_EQ(turn2.statistics.reused_tokens, first.tokens.size());
  EXPECT_EQ(turn2.statistics.images_encoded, 1u);
  const std::vector<float> cached = session->last_logits();

  const auto fresh = open_session();
  const GenerateResult full = fresh->generate(greedy(both, 1), {});
  EXPECT_EQ(full.statistics.reused_tokens, 0u);
  EXPECT_LE(relative_l2(cached, fresh->last_logits()), 1e-5);
  EXPECT_EQ(turn2.tokens, full.tokens);
}

TEST(Session, FollowUpReusesPictureAndAnswer) {
  const Prompt& prompt = case_named("text-after-image-dialogue").prompt;
  const auto session = open_session();
  const GenerateResult answer = session->generate(greedy(prompt, 8), {});
  Prompt next = prompt;
  next.tokens.insert(next.tokens.end(), answer.tokens.begin(), answer.tokens.end());
  for (uint32_t token : {5u, 6u, 7u}) next.tokens.push_back(token);
  const GenerateResult turn2 = session->generate(greedy(next, 4), {});
  // The last token of an answer is computed when the next turn comes.
  EXPECT_EQ(turn2.statistics.reused_tokens, prompt.tokens.size() + answer.tokens.size() - 1);
  EXPECT_EQ(turn2.statistics.images_encoded, 0u);
  EXPECT_EQ(turn2.statistics.images_cached, 1u);
  const auto fresh = open_session();
  EXPECT_EQ(fresh->generate(greedy(next, 4), {}).tokens, turn2.tokens);
}

TEST(Session, AnotherPictureAtTheSamePlaceIsAnotherPrompt) {
  Prompt prompt = case_named("image-square").prompt;
  const auto session = open_session();
  session->generate(greedy(prompt, 1), {});
  prompt.images = case_named("image-1x2").prompt.images;
  const GenerateResult other = session->generate(greedy(prompt, 6), {});
  EXPECT_EQ(other.statistics.images_encoded, 1u);
  const auto fresh = open_session();
  EXPECT_EQ(fresh->generate(greedy(prompt, 6), {}).tokens, other.tokens);
}

TEST(Session, GrowsAndPrefillsInChunks) {
  // 1,300 tokens: three chunks of prefill, two growths of the cache.
  Prompt prompt = case_named("text").prompt;
  Random random(3);
  while (prompt.tokens.size() < 1300) prompt.tokens.push_back(random.below(250));
  const auto session = open_session();
  session->generate(greedy(prompt, 1), {});
  const std::vector<float> at_once = session->last_logits();

  const auto stepwise = open_session();
  for (size_t end : {size_t{7}, size_t{500}, size_t{505}, size_t{520}, size_t{1299}, prompt.tokens.size()})
    stepwise->generate(greedy({{prompt.tokens.begin(), prompt.tokens.begin() + static_cast<long>(end)}, {}}, 2), {});
  EXPECT_LE(relative_l2(stepwise->last_logits(),
                        [&] {
                          session->generate(greedy(prompt, 2), {});
                          return session->last_logits();
                        }()),
            1e-5);
  EXPECT_EQ(at_once.size(), 320u);
}

// Steps are recorded for 512 positions at a time, of which the answer goes past the third. The cache has room for 2,048.
TEST(Session, AnswersAcrossTheLengthOfARecordedStep) {
  Prompt prompt;
  Random random(5);
  while (prompt.tokens.size() < 1528) prompt.tokens.push_back(random.below(250));
  vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
  const vk::Quirks real = quirks;
  for (const auto& [speculation, steps] : {std::pair{Speculation::off, 1u}, {Speculation::off, 2u}, {Speculation::always, 1u}}) {
    const auto session = open_session();
    GenerateRequest request = greedy(prompt, 24);
    request.speculation = speculation;
    quirks.steps_in_flight = steps;
    const GenerateResult answer = session->generate(request, {});
    quirks = real;
    ASSERT_EQ(answer.tokens.size(), 24u);
    Prompt read = prompt;
    read.tokens.insert(read.tokens.end(), answer.tokens.begin(), answer.tokens.end() - 1);
    const std::vector<float> found = session->last_logits();
    const auto fresh = open_session();
    fresh->generate(greedy(read, 1), {});
    EXPECT_LE(relative_l2(found, fresh->last_logits()), 1e-5);
  }
}

TEST(Session, CancelsWithinAStepAndGoesOn) {
  const Prompt& prompt = case_named("image-square").prompt;
  const auto session = open_session();
  uint32_t seen = 0;
  const GenerateResult cut = session->generate(greedy(prompt, 100), {[&](uint32_t) { cancel_flag = ++seen == 3; }, nullptr});
  EXPECT_EQ(cut.finish, Finish::cancelled);
  EXPECT_EQ(cut.tokens.size(), 3u);
  cancel_flag = false;
  const GenerateResult whole = session->generate(greedy(prompt, 10), {});
  const auto fresh = open_session();
  EXPECT_EQ(whole.tokens, fresh->generate(greedy(prompt, 10), {}).tokens);
}

TEST(Session, CancelsWhileEncoding) {
  const Prompt& prompt = case_named("image-large").prompt;
  const auto session = open_session();
  const GenerateResult cut = session->generate(
      greedy(prompt, 10), {nullptr, [&](Stage stage, uint32_t done, uint32_t) { cancel_flag = stage == Stage::encode && done == 2; }});
  EXPECT_EQ(cut.finish, Finish::cancelled);
  EXPECT_TRUE(cut.tokens.empty());
  cancel_flag = false;
  const auto fresh = open_session();
  EXPECT_EQ(session->generate(greedy(prompt, 5), {}).tokens, fresh->generate(greedy(prompt, 5), {}).tokens);
}

TEST(Session, StopTokensLimitsAndContext) {
  const Prompt& prompt = case_named("text").prompt;
  const auto session = open_session(Activations::f32, 32);
  const GenerateResult free_run = session->generate(greedy(prompt, 100), {});
  EXPECT_EQ(free_run.finish, Finish::context);
  EXPECT_EQ(prompt.tokens.size() + free_run.tokens.size(), 33u);  // the last token needs no room
  GenerateRequest stopped = greedy(prompt, 100);
  stopped.stop_tokens = {free_run.tokens[2]};
  const GenerateResult result = session->generate(stopped, {});
  EXPECT_EQ(result.finish, Finish::stop);
  EXPECT_LE(result.tokens.size(), 2u);
  EXPECT_EQ(session->generate(greedy(prompt, 2), {}).finish, Finish::length);
  Prompt too_long = prompt;
  too_long.tokens.resize(40, 1);
  try {
    session->generate(greedy(too_long, 1), {});
    FAIL() << "a prompt beyond the context was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::context_full);
  }
}

TEST(Session, SamplingRepeatsWithItsSeedAndVariesWithout) {
  const Prompt& prompt = case_named("text").prompt;
  const auto session = open_session();
  GenerateRequest request = greedy(prompt, 24);
  request.sampling = {1.5f, 50, 0.95f, 0, 1.1f};
  request.seed = 7;
  const auto once = session->generate(request, {}).tokens;
  EXPECT_EQ(session->generate(request, {}).tokens, once);
  request.seed = 8;
  EXPECT_NE(session->generate(request, {}).tokens, once);
}

/// A prompt that says itself twice, so that there is something to look up.
Prompt repeated(const Prompt& prompt) {
  Prompt twice = prompt;
  const uint32_t image_token = 320;
  for (uint32_t token : prompt.tokens)
    if (token != image_token) twice.tokens.push_back(token);
  return twice;
}

/// How a session gets ahead of single steps: it guesses and checks, or has the next step in flight.
struct Ahead {
  Speculation speculation = Speculation::always;
  uint32_t steps_in_flight = 1;
};
const std::vector<Ahead> ways_ahead = {{Speculation::always, 1}, {Speculation::off, 2}, {Speculation::always, 2}};

/// The same requests to two sessions, of which one gets ahead. Everything that can be seen from outside is compared.
class Guessing {
 public:
  explicit Guessing(const Ahead& way = {}, Activations activations = Activations::f32, uint32_t context = 2048)
      : way_(way), plain_(open_session(activations, context)), ahead_(open_session(activations, context)) {}

  /// Returns the answer; `cancel_after` so many tokens, 0 = never.
  GenerateResult expect_same(GenerateRequest request, const std::string& what, uint32_t cancel_after = 0) {
    const GenerateResult expected = ask(*plain_, request, {Speculation::off, 1}, cancel_after),
                         found = ask(*ahead_, request, way_, cancel_after);
    EXPECT_EQ(found.tokens, expected.tokens) << what;
    EXPECT_EQ(found.finish, expected.finish) << what;
    EXPECT_EQ(found.statistics.generated_tokens, expected.statistics.generated_tokens) << what;
    // After a cancel one token more may have been computed.
    EXPECT_GE(found.statistics.reused_tokens, expected.statistics.reused_tokens) << what;
    EXPECT_LE(found.statistics.reused_tokens, expected.statistics.reused_tokens + cancelled_) << what;
    cancelled_ = found.finish == Finish::cancelled;
    EXPECT_EQ(expected.statistics.proposed_tokens, 0u) << what;
    // The same sums in the same order: not close, but equal.
    if (!cancelled_) EXPECT_TRUE(ahead_->last_logits() == plain_->last_logits()) << what << ": other logits";
    proposed_ += found.statistics.proposed_tokens;
    accepted_ += found.statistics.accepted_tokens;
    return found;
  }
  uint32_t proposed() const { return proposed_; }
  uint32_t accepted() const { return accepted_; }

 private:
  static GenerateResult ask(Session& session, GenerateRequest request, const Ahead& way, uint32_t cancel_after) {
    request.speculation = way.speculation;
    vk::Quirks& quirks = const_cast<vk::Quirks&>(engine().device->quirks());
    const uint32_t real = std::exchange(quirks.steps_in_flight, way.steps_in_flight);
    uint32_t said = 0;
    const GenerateResult result = session.generate(request, {[&](uint32_t) { cancel_flag = ++said == cancel_after; }, nullptr});
    cancel_flag = false;
    quirks.steps_in_flight = real;
    return result;
  }

  Ahead way_;
  std::unique_ptr<Session> plain_, ahead_;
  uint32_t proposed_ = 0, accepted_ = 0, cancelled_ = 0;
};

class GetsAhead : public ::testing::TestWithParam<Ahead> {
 protected:
  /// Enough was guessed to show anything.
  static void expect_guesses(const Guessing& guessing, uint32_t accepted) {
    if (GetParam().speculation == Speculation::off) {
      EXPECT_EQ(guessing.proposed(), 0u);
    } else {
      EXPECT_GT(guessing.accepted(), accepted) << "of " << guessing.proposed() << ": too few to show anything";
    }
  }
};
std::string name_of(const ::testing::TestParamInfo<Ahead>& info) {
  return std::to_string(info.param.steps_in_flight) + "InFlight" + (info.param.speculation == Speculation::off ? "" : "WithGuesses");
}
INSTANTIATE_TEST_SUITE_P(Session, GetsAhead, ::testing::ValuesIn(ways_ahead), name_of);

TEST_P(GetsAhead, AndLeavesGreedyAnswersAsTheyAre) {
  Guessing guessing(GetParam());
  for (const Case& c : cases()) guessing.expect_same(greedy(repeated(c.prompt), 48), c.name);
  Random random(11);
  for (int i = 0; i < 30; ++i) {
    Prompt prompt;
    for (uint32_t length = 3 + random.below(60); prompt.tokens.size() < length;) prompt.tokens.push_back(random.below(300));
    guessing.expect_same(greedy(repeated(prompt), 40), "random prompt " + std::to_string(i));
  }
  expect_guesses(guessing, 200);
  if (GetParam().speculation != Speculation::off) {
    EXPECT_LT(guessing.accepted(), guessing.proposed()) << "a wrong proposal must have been refused";
  }
}

/// A prompt whose answer soon repeats itself, as some answers of a small model do: most of what is proposed is right there.
Prompt prompt_with_repeating_answer() {
  const auto session = open_session();
  Random random(12);
  for (int i = 0; i < 100; ++i) {
    Prompt prompt;
    while (prompt.tokens.size() < 8) prompt.tokens.push_back(random.below(300));
    GenerateRequest request = greedy(prompt, 48);
    request.speculation = Speculation::always;
    if (session->generate(request, {}).statistics.accepted_tokens >= 20) return prompt;
  }
  ADD_FAILURE() << "no answer to a hundred prompts repeats itself";
  return {{1}, {}};
}

TEST_P(GetsAhead, AndLeavesDrawnAndPenalisedAnswersAsTheyAre) {
  Guessing guessing(GetParam());
  const Prompt prompt = prompt_with_repeating_answer();
  const ops::Sampling samplings[] = {{0.05f, 0, 0.9f, 0, 1}, {0.3f, 5, 1, 0, 1}, {0, 0, 1, 0, 1.05f}, {0.2f, 0, 0.95f, 0.05f, 1.02f}};
  for (const ops::Sampling& sampling : samplings)
    for (uint64_t seed = 0; seed < 6; ++seed) {
      GenerateRequest request = greedy(prompt, 48);
      request.sampling = sampling;
      request.seed = seed;
      guessing.expect_same(request, "temperature " + std::to_string(sampling.temperature) + ", seed " + std::to_string(seed));
    }
  expect_guesses(guessing, 50);
}

TEST_P(GetsAhead, WithFloat16) {
  if (!ops::has_half_matmul(*engine().device, *engine().pipelines))
    GTEST_SKIP() << engine().device->info().name << " has no cooperative matrices";
  Guessing guessing(GetParam(), Activations::f16);
  for (const Case& c : cases()) guessing.expect_same(greedy(repeated(c.prompt), 48), c.name);
  expect_guesses(guessing, 50);
}

// Wherever an answer ends, it ends as it does without, and the next turn finds the same cache.
TEST_P(GetsAhead, AndEndsAndGoesOnAnywhere) {
  constexpr uint32_t context = 96;
  Guessing guessing(GetParam(), Activations::f32, context);
  const Prompt prompt = prompt_with_repeating_answer();
  const auto follow_up = [&](const GenerateResult& answer, const std::string& what) {
    Prompt next = prompt;
    next.tokens.insert(next.tokens.end(), answer.tokens.begin(), answer.tokens.end());
    if (next.tokens.size() + 1 >= context) return;
    next.tokens.push_back(7);
    guessing.expect_same(greedy(next, 6), "after " + what);
  };
  const GenerateResult free_run = guessing.expect_same(greedy(prompt, 200), "until the context is full");
  EXPECT_EQ(free_run.finish, Finish::context);
  const uint32_t length = static_cast<uint32_t>(free_run.tokens.size());
  for (uint32_t most = 1; most < std::min(length, 32u); ++most) {
    const std::string what = std::to_string(most) + " tokens";
    const GenerateResult limited = guessing.expect_same(greedy(prompt, most), what);
    EXPECT_EQ(limited.finish, Finish::length);
    follow_up(limited, what);
    const GenerateResult cut = guessing.expect_same(greedy(prompt, 200), "cancelled after " + what, most);
    EXPECT_EQ(cut.finish, Finish::cancelled);
    EXPECT_EQ(cut.tokens.size(), most);
    follow_up(cut, "a cancel after " + what);
    GenerateRequest stopped = greedy(prompt, 200);
    stopped.stop_tokens = {free_run.tokens[most]};
    const GenerateResult stop = guessing.expect_same(stopped, "stopped at token " + std::to_string(most));
    EXPECT_EQ(stop.finish, Finish::stop);
    follow_up(stop, "a stop at token " + std::to_string(most));
  }
  expect_guesses(guessing, 100);
}

TEST(Session, InvalidPromptsAreNamed) {
  const auto session = open_session();
  auto code_of = [&](Prompt prompt) {
    try {
      session->generate(greedy(prompt, 1), {});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  const Prompt& good = case_named("image-square").prompt;
  EXPECT_EQ(code_of({}), ErrorCode::prompt_invalid);
  EXPECT_EQ(code_of({{328}, {}}), ErrorCode::prompt_invalid);
  EXPECT_EQ(code_of({good.tokens, {}}), ErrorCode::prompt_invalid);
  EXPECT_EQ(code_of({{1, 2}, good.images}), ErrorCode::prompt_invalid);
  Prompt short_tiles = good;
  short_tiles.images[0].tiles.pop_back();
  EXPECT_EQ(code_of(short_tiles), ErrorCode::prompt_invalid);
  Prompt bad_ratio = good;
  bad_ratio.images[0].aspect_ratio_id = 9;
  EXPECT_EQ(code_of(bad_ratio), ErrorCode::prompt_invalid);
}

/// The tiny checkpoint's self-attention layers as a plain Llama checkpoint: what text-only models look like.
/// `tied`: without lm_head; `output_is_embedding`: with an lm_head that equals the embedding.
std::filesystem::path write_text_model(const std::string& name, bool tied, bool output_is_embedding) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("loupe-" + name + "-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directories(folder);
  std::ifstream file(tiny() / "config.json");
  nlohmann::json config = nlohmann::json::parse(file).at("text_config");
  const auto cross = config.at("cross_attention_layers").get<std::vector<int>>();
  const int layers = config.at("num_hidden_layers").get<int>();
  config.update({{"model_type", "llama"},
                 {"architectures", {"LlamaForCausalLM"}},
                 {"num_hidden_layers", layers - static_cast<int>(cross.size())},
                 {"tie_word_embeddings", tied}});
  config.erase("cross_attention_layers");
  std::ofstream(folder / "config.json") << config;

  const Checkpoint whole = Checkpoint::open(tiny());
  nlohmann::json header;
  std::string data;
  const auto put = [&](const std::string& stored, const TensorView& tensor, int64_t rows) {
    auto shape = tensor.shape;
    const size_t bytes = tensor.bytes.size() / static_cast<size_t>(shape[0]) * static_cast<size_t>(rows);
    shape[0] = rows;
    header[stored] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {data.size(), data.size() + bytes}}};
    data.append(reinterpret_cast<const char*>(tensor.bytes.data()), bytes);
  };
  const TensorView& embedding = whole.at("text.embed_tokens.weight");
  const int64_t vocabulary = config.at("vocab_size").get<int64_t>();
  put("model.embed_tokens.weight", embedding, vocabulary);
  put("model.norm.weight", whole.at("text.norm.weight"), whole.at("text.norm.weight").shape[0]);
  if (!tied) put("lm_head.weight", output_is_embedding ? embedding : whole.at("text.lm_head.weight"), vocabulary);
  int next = 0;
  for (int layer = 0; layer < layers; ++layer) {
    if (std::find(cross.begin(), cross.end(), layer) != cross.end()) continue;
    const std::string prefix = "text.layers." + std::to_string(layer) + ".";
    for (const TensorView& tensor : whole.tensors())
      if (tensor.name.starts_with(prefix))
        put("model.layers." + std::to_string(next) + "." + tensor.name.substr(prefix.size()), tensor, tensor.shape[0]);
    ++next;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::ofstream out(folder / "model.safetensors", std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), 8);
  out << text << data;
  return folder;
}

std::vector<float> text_logits(const std::filesystem::path& folder, const Prompt& prompt) {
  auto& e = engine();
  Session session(*e.device, *e.memory, *e.pipelines, load_model(folder, *e.device, *e.memory, nullptr, nullptr), Activations::f32, 256,
                  cancel_flag);
  std::filesystem::remove_all(folder);
  return session.trace(prompt, 0).logits;
}

TEST(TextModel, EqualsTheVisionModelWithoutAPicture) {
  const Case& c = case_named("text");
  const std::vector<float> logits = text_logits(write_text_model("text", false, false), c.prompt);
  EXPECT_LE(distance_to_stored(logits, SafetensorsFile(c.expected), "logits"), exact.logits);
}

TEST(TextModel, TiedEmbeddingsServeAsOutput) {
  const Prompt& prompt = case_named("text").prompt;
  const std::vector<float> tied = text_logits(write_text_model("tied", true, false), prompt);
  EXPECT_LE(relative_l2(tied, text_logits(write_text_model("untied", false, true), prompt)), 1e-6);
}

TEST(CrossKvCache, DropsTheLeastRecentlyUsed) {
  auto entry = [&] {
    CrossKv kv;
    kv.layers.push_back(make_kv_cache(*engine().memory, 64, false, 4));
    return kv;
  };
  const uint64_t size = entry().bytes();
  CrossKvCache cache(2 * size);
  for (const char* hash : {"a", "b"}) {
    cache.make_room(size);
    cache.insert(hash, entry());
  }
  EXPECT_TRUE(cache.find("a"));  // now b is the oldest
  cache.make_room(size);
  cache.insert("c", entry());
  EXPECT_TRUE(cache.find("a"));
  EXPECT_FALSE(cache.find("b"));
  EXPECT_TRUE(cache.find("c"));
  EXPECT_EQ(cache.bytes(), 2 * size);
  cache.make_room(10 * size);  // a picture larger than the budget is alone
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(LoadModel, SaysHowMuchIsMissing) {
  vk::Memory small(*engine().device, 1 << 20, 1 << 20);
  try {
    load_model(tiny(), *engine().device, small, nullptr, nullptr);
    FAIL() << "5 MB of weights fitted 2 MiB";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::device_out_of_memory);
    EXPECT_NE(std::string(error.what()).find("are missing"), std::string::npos) << error.what();
    EXPECT_FALSE(error.next_step().empty());
  }
}

TEST(LoadModel, CanBeCancelled) {
  const std::atomic<bool> already{true};
  try {
    load_model(tiny(), *engine().device, *engine().memory, &already, nullptr);
    FAIL() << "a cancelled load went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
}

}  // namespace
}  // namespace loupe
