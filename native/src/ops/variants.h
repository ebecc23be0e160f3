#pragma once
// Kernels that compute the same in several ways: where more than one is right for a device, they are timed on it, once.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ops/cases.h"

namespace loupe {

/// What a device is asked: a setting of the table of devices (vk::Quirks), and the values that are right for it, the table's own first.
struct Question {
  std::string name;
  std::vector<uint32_t> values;
};

/// None for devices whose row of the table is measured, as those of software drivers. Every value is one that the tests compare with the
/// scalar twins.
std::vector<Question> questions_of(const vk::Device& device, const vk::Pipelines& pipelines, Activations activations);

/// By the name of a question.
using Answers = std::map<std::string, uint32_t>;

/// Settles `questions` on the device as `answers` say. A question without an answer, or with one that is not among its values, keeps
/// the table's.
void settle(vk::Device& device, const std::vector<Question>& questions, const Answers& answers);

struct VariantTime {
  std::string name;
  struct Value {
    uint32_t value = 0;
    double ms = 0;        ///< the shortest run; 0 where it did not run
    std::string why_not;  ///< where the value was ruled out: it computes something else, or does not run
  };
  std::vector<Value> values;  ///< as in the question
  uint32_t chosen = 0;
};

struct TimingLimits {
  double budget_ms = 4000;  ///< then the questions that are left keep the table's answer
  const std::atomic<bool>* cancel = nullptr;
  std::function<double()> clock;                                ///< milliseconds
  std::function<void(uint64_t done, uint64_t total)> progress;  ///< questions; may be null
  const cases::ModelShapes* shapes = &cases::llama_11b_shapes;
};

/// Compares each value of each question with its scalar twin on this device, then times those that hold at the shapes of a model, in
/// turns, and settles the questions. Another value than the table's has to be 3 % faster.
/// @throws Error cancelled, and then nothing is settled; device_lost
std::vector<VariantTime> time_variants(vk::Device& device, vk::Memory& memory, vk::Pipelines& pipelines, Activations activations,
                                       const std::vector<Question>& questions, const TimingLimits& limits);

}  // namespace loupe
