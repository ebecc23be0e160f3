#pragma once
// Guessing tokens ahead from what the conversation already says, so that one pass over the weights checks several of them.
// Prompt lookup: Saxena 2023, "Prompt Lookup Decoding"; the check: Leviathan et al. 2023, "Fast Inference from Transformers via
// Speculative Decoding". See docs/decisions/0039-guessing-ahead.md.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace loupe {

enum class Speculation {
  automatic,  ///< where it is measured to be faster
  off,
  always,  ///< whenever there is something to propose; for tests
};

/// Rows of a pass that checks: the last token and those proposed behind it.
constexpr uint32_t checked_rows = 4, proposed_tokens = checked_rows - 1;

/// Finds the last tokens of a text earlier in it, and proposes what followed them there.
class PromptLookup {
 public:
  void push(uint32_t token);
  /// `proposed_tokens` tokens, or none where the end of the text is new. Valid until the next call.
  std::span<const uint32_t> propose();

 private:
  /// Tokens that must agree: a few letters of a rare word, or a phrase of common ones.
  static constexpr size_t agreeing = 3;
  uint64_t end_key() const;

  std::vector<uint32_t> tokens_, proposal_;
  std::unordered_map<uint64_t, uint32_t> followers_;  ///< of `agreeing` tokens: where the text last went on after them
};

/// Whether a pass of several rows pays: its time against that of a step, and how many proposed tokens come true. Belongs to a
/// session, and learns over its requests.
class SpeculationCost {
 public:
  void step_took(double ms) { follow(step_ms_, ms, steps_++ == 0); }
  void pass_took(double ms) { follow(pass_ms_, ms, passes_++ == 0); }
  /// Of `proposed_tokens` tokens the first `right` came, whether or not a pass was run for them.
  void came_true(uint32_t right);
  /// Whether a pass is expected to be faster than steps to the same token.
  bool pays() const;

 private:
  /// At once to shorter times, slowly to longer ones: what disturbs a measurement makes it longer.
  static void follow(double& value, double measured, bool first);

  double step_ms_ = 0, pass_ms_ = 0, expected_ = 0;
  uint64_t steps_ = 0, passes_ = 0;
};

/// Of one request: proposes, and compares with what comes.
class Guesser {
 public:
  Guesser(Speculation mode, SpeculationCost& cost) : mode_(mode), cost_(cost) {}

  /// The next token of the text, of the prompt first and then of the answer.
  void push(uint32_t token) {
    if (mode_ != Speculation::off) follow(token);
  }
  /// What to check in one pass, `proposed_tokens` or none. A proposal that does not pay is compared with the tokens that come,
  /// so that one learns when it would.
  std::span<const uint32_t> propose();
  /// Of the last proposal the first `right` are what the model says.
  void checked(uint32_t right) { cost_.came_true(right); }

 private:
  void follow(uint32_t token);

  Speculation mode_;
  SpeculationCost& cost_;
  PromptLookup lookup_;
  std::vector<uint32_t> awaited_;  ///< a proposal that was not checked
  uint32_t came_ = 0;              ///< how many of them have come
};

}  // namespace loupe
