#pragma once
// Compiles what a model's first answers need, before there is a first answer: on a thread of its own, beside the upload of the weights.

#include <atomic>
#include <memory>
#include <thread>

#include "model/model.h"

namespace loupe {

/// Records a picture, a prompt and tokens of the model, as a session does, with memory that is not there and without submitting
/// anything: so the pipelines are made that these ask for, and no list of them is kept anywhere. Ends early where `stop` is set.
/// @throws Error as recording does, for instance shader_missing
void rehearse(const ModelFiles& files, vk::Device& device, vk::Pipelines& pipelines, Activations activations,
              const std::atomic<bool>& stop);

/// A rehearsal on a thread, which then stores the compiled pipelines. What goes wrong in it goes wrong once more, and is named, where the
/// pipeline is needed. `device` and `pipelines` must live as long.
class Rehearsal {
 public:
  Rehearsal(std::shared_ptr<const ModelFiles> files, vk::Device& device, vk::Pipelines& pipelines, Activations activations);
  /// Ends within the pipeline that is being compiled.
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace loupe
