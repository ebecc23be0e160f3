#include "addon/runtime.h"

#include "base/error.h"

namespace loupe::addon {

Runtime::Runtime(std::shared_ptr<vk::Instance> vulkan, const vk::DeviceInfo& info, uint64_t budget, const std::string& shaders,
                 const std::string& cache, const std::string& wanted)
    : instance(std::move(vulkan)),
      device(instance, info),
      memory(device, budget),
      pipelines(device, shaders, cache),
      activations(Activations::f32) {
  if (wanted == "f16" && !ops::has_half_matmul(device, pipelines))
    throw Error(ErrorCode::device_unsuitable, info.name + " has no cooperative matrices that this engine can use.",
                "Leave the precision at f32.");
  if (wanted == "f16") activations = Activations::f16;
  if (wanted == "auto") activations = ops::best_activations(device, pipelines);
  questions = questions_of(device, pipelines, activations);
}

}  // namespace loupe::addon
