// What is compiled beside the upload is what a first answer needs.

#include <gtest/gtest.h>

#include "base/error.h"
#include "fixtures.h"
#include "session/rehearsal.h"
#include "session/session.h"
#include "support.h"

namespace loupe::test {
namespace {

std::filesystem::path tiny() { return reference() / "tiny"; }

/// A prompt of so many words, behind a black picture where there is one.
GenerateRequest request_of(const ModelConfig& config, uint32_t words, bool picture, const ops::Sampling& sampling) {
  GenerateRequest request;
  request.max_tokens = 12;
  request.sampling = sampling;
  request.speculation = Speculation::always;
  for (uint32_t i = 0; i < words; ++i) request.prompt.tokens.push_back(10 + i % 3);
  if (!picture) return request;
  const size_t side = static_cast<size_t>(config.vision->image_size);
  request.prompt.tokens.insert(request.prompt.tokens.begin(), static_cast<uint32_t>(*config.image_token_index));
  request.prompt.images.push_back({"black", std::vector<uint8_t>(side * side * 3), 1, 1});
  return request;
}

TEST(Rehearsal, CompilesWhatAnswersNeed) {
  auto& e = engine();
  vk::Pipelines pipelines(*e.device, shader_directory(), "");
  const std::atomic<bool> stop{false};
  const uint64_t in_use = e.memory->use().device_bytes;
  rehearse(open_model(tiny()), *e.device, pipelines, Activations::f32, stop);
  EXPECT_EQ(e.memory->use().device_bytes, in_use) << "it takes no memory of the device";
  const size_t compiled = pipelines.count();
  EXPECT_GT(compiled, 20u);
  for (const bool picture : {true, false}) {
    Session session(*e.device, *e.memory, pipelines, load_model(tiny(), *e.device, *e.memory, nullptr, nullptr), Activations::f32, 512,
                    stop);
    for (const uint32_t words : {30u, 300u})
      for (const ops::Sampling& sampling : {ops::Sampling{}, ops::Sampling{0.6f, 0, 0.9f, 0, 1}})
        session.generate(request_of(session.model().config, words, picture, sampling), {});
    EXPECT_EQ(pipelines.count(), compiled) << (picture ? "with a picture" : "without one");
  }
}

TEST(Rehearsal, EndsWhereItIsNotWanted) {
  auto& e = engine();
  vk::Pipelines pipelines(*e.device, shader_directory(), "");
  const std::atomic<bool> stop{true};
  try {
    rehearse(open_model(tiny()), *e.device, pipelines, Activations::f32, stop);
    ADD_FAILURE() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_LE(pipelines.count(), 1u);
}

TEST(Rehearsal, BesideAnAnswer) {
  auto& e = engine();
  vk::Pipelines pipelines(*e.device, shader_directory(), "");
  const std::atomic<bool> stop{false};
  const auto files = std::make_shared<const ModelFiles>(open_model(tiny()));
  const auto answer = [&](vk::Pipelines& with) {
    Session session(*e.device, *e.memory, with, load_model(*files, *e.device, *e.memory, {}, nullptr, nullptr), Activations::f32, 512,
                    stop);
    return session.generate(request_of(session.model().config, 30, true, {}), {}).tokens;
  };
  std::vector<uint32_t> found;
  {
    const Rehearsal rehearsal(files, *e.device, pipelines, Activations::f32);
    found = answer(pipelines);
  }
  EXPECT_EQ(found, answer(*e.pipelines));
}

// A shader that is missing is named by whoever needs it; the rehearsal says nothing and harms nothing.
TEST(Rehearsal, OfShadersThatAreNotThere) {
  auto& e = engine();
  vk::Pipelines pipelines(*e.device, "/nowhere", "");
  const auto files = std::make_shared<const ModelFiles>(open_model(tiny()));
  { const Rehearsal rehearsal(files, *e.device, pipelines, Activations::f32); }
  EXPECT_EQ(pipelines.count(), 0u);
  EXPECT_THROW(pipelines.get("argmax", {}, 2, 8), Error);
}

}  // namespace
}  // namespace loupe::test
