#pragma once
// Everything that lives on the device, in the order of construction.

#include <atomic>
#include <memory>
#include <string>

#include "ops/variants.h"
#include "session/rehearsal.h"
#include "session/session.h"

namespace loupe::addon {

struct Runtime {
  std::shared_ptr<vk::Instance> instance;
  vk::Device device;
  vk::Memory memory;
  vk::Pipelines pipelines;
  Activations activations;
  std::vector<Question> questions;  ///< that the table of devices leaves to a measurement
  std::atomic<bool> cancel{false};
  std::unique_ptr<Session> session;      ///< null until a model is loaded
  std::unique_ptr<Rehearsal> rehearsal;  ///< of the model that is loaded

  /// `budget` in bytes, 0 = what the device reports; `wanted` is "auto", "f32" or "f16".
  /// @throws Error device_unsuitable: f16 is wanted and the device has no cooperative matrices that the engine can use.
  Runtime(std::shared_ptr<vk::Instance> vulkan, const vk::DeviceInfo& info, uint64_t budget, const std::string& shaders,
          const std::string& cache, const std::string& wanted);

  bool half() const { return activations == Activations::f16; }
};

}  // namespace loupe::addon
