// What the driver's compiler makes of the kernels, for the shapes of the 11B model: registers, spills, waves, machine code.
//
//   shader_stats            JSON: {"device", "driver", "kernels": [{"name", "constants", "statistics", "assembly"}]}
//
// Nothing is run, so that a driver without hardware serves: Mesa's RADV before 26.1 pretends to be any AMD card with
// RADV_FORCE_FAMILY=gfx1100. The pipelines are those that the operations ask for when they record the cases of ops/cases.h.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ops/cases.h"

using namespace loupe;

namespace {

/// The driver's own functions behind those that this program puts in their place, and what it found.
struct Inspection {
  PFN_vkCreateDevice create_device = nullptr;
  PFN_vkCreateShaderModule create_module = nullptr;
  PFN_vkCreateComputePipelines create_pipelines = nullptr;
  PFN_vkGetPipelineExecutableStatisticsKHR statistics = nullptr;
  PFN_vkGetPipelineExecutableInternalRepresentationsKHR representations = nullptr;
  PFN_vkGetDeviceProcAddr device_function = nullptr;
  std::map<std::string, std::string> names;  ///< of shaders, by their code
  std::map<VkShaderModule, std::string> modules;
  nlohmann::json kernels = nlohmann::json::array();
} inspection;

VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo* asked,
                                             const VkAllocationCallbacks* allocator, VkDevice* device) {
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, const_cast<void*>(asked->pNext), VK_TRUE};
  std::vector<const char*> extensions(asked->ppEnabledExtensionNames, asked->ppEnabledExtensionNames + asked->enabledExtensionCount);
  extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  VkDeviceCreateInfo create = *asked;
  create.pNext = &feature;
  create.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  create.ppEnabledExtensionNames = extensions.data();
  const VkResult result = inspection.create_device(physical, &create, allocator, device);
  if (result != VK_SUCCESS) return result;
  const auto find = [&](const char* name) { return inspection.device_function(*device, name); };
  inspection.statistics = reinterpret_cast<PFN_vkGetPipelineExecutableStatisticsKHR>(find("vkGetPipelineExecutableStatisticsKHR"));
  inspection.representations =
      reinterpret_cast<PFN_vkGetPipelineExecutableInternalRepresentationsKHR>(find("vkGetPipelineExecutableInternalRepresentationsKHR"));
  return result;
}

VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device, const VkShaderModuleCreateInfo* create,
                                             const VkAllocationCallbacks* allocator, VkShaderModule* module) {
  const VkResult result = inspection.create_module(device, create, allocator, module);
  if (result == VK_SUCCESS)
    inspection.modules[*module] = inspection.names[std::string(reinterpret_cast<const char*>(create->pCode), create->codeSize)];
  return result;
}

nlohmann::json statistics_of(VkDevice device, const VkPipelineExecutableInfoKHR& executable) {
  uint32_t count = 0;
  inspection.statistics(device, &executable, &count, nullptr);
  std::vector<VkPipelineExecutableStatisticKHR> list(count, {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR});
  inspection.statistics(device, &executable, &count, list.data());
  nlohmann::json found = nlohmann::json::object();
  for (const VkPipelineExecutableStatisticKHR& one : list)
    if (one.format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR) found[one.name] = one.value.u64;
  return found;
}

/// The machine code in words; empty where the driver has none to show.
std::string assembly_of(VkDevice device, const VkPipelineExecutableInfoKHR& executable) {
  uint32_t count = 0;
  inspection.representations(device, &executable, &count, nullptr);
  std::vector<VkPipelineExecutableInternalRepresentationKHR> list(count,
                                                                  {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR});
  inspection.representations(device, &executable, &count, list.data());
  std::vector<std::string> texts(count);
  for (uint32_t i = 0; i < count; ++i) {
    texts[i].resize(list[i].dataSize);
    list[i].pData = texts[i].data();
  }
  inspection.representations(device, &executable, &count, list.data());
  for (uint32_t i = 0; i < count; ++i)
    if (std::string(list[i].name) == "Assembly") return texts[i].c_str();
  return {};
}

VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                                const VkComputePipelineCreateInfo* asked, const VkAllocationCallbacks* allocator,
                                                VkPipeline* pipeline) {
  VkComputePipelineCreateInfo create = *asked;
  create.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
  const VkResult result = inspection.create_pipelines(device, cache, count, &create, allocator, pipeline);
  if (result != VK_SUCCESS) return result;
  const VkSpecializationInfo& specialisation = *create.stage.pSpecializationInfo;
  const uint32_t* constants = static_cast<const uint32_t*>(specialisation.pData);
  const VkPipelineExecutableInfoKHR executable{VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, nullptr, *pipeline, 0};
  inspection.kernels.push_back({{"name", inspection.modules[create.stage.module]},
                                {"constants", std::vector<uint32_t>(constants, constants + specialisation.dataSize / 4)},
                                {"statistics", statistics_of(device, executable)},
                                {"assembly", assembly_of(device, executable)}});
  return result;
}

/// Hardware that is not there has no memory. One type that only the device reads, one for the host.
VKAPI_ATTR void VKAPI_CALL memory_properties(VkPhysicalDevice, VkPhysicalDeviceMemoryProperties* properties) {
  *properties = {};
  properties->memoryHeapCount = 1;
  properties->memoryHeaps[0] = {VkDeviceSize{1} << 40, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
  properties->memoryTypeCount = 2;
  properties->memoryTypes[0] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0};
  properties->memoryTypes[1] = {
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, 0};
}
VKAPI_ATTR void VKAPI_CALL memory_properties2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2* properties) {
  memory_properties(device, &properties->memoryProperties);
}
VKAPI_ATTR void VKAPI_CALL memory_requirements(VkDevice, VkBuffer, VkMemoryRequirements* requirements) {
  *requirements = {VkDeviceSize{1} << 20, 256, 3};
}
VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice, const VkMemoryAllocateInfo* wanted, const VkAllocationCallbacks*,
                                        VkDeviceMemory* memory) {
  // What the host may write gets room; the rest is never touched.
  *memory = reinterpret_cast<VkDeviceMemory>(std::calloc(1, wanted->memoryTypeIndex == 1 ? wanted->allocationSize : 1));
  return VK_SUCCESS;
}
VKAPI_ATTR void VKAPI_CALL release(VkDevice, VkDeviceMemory memory, const VkAllocationCallbacks*) { std::free(memory); }
VKAPI_ATTR VkResult VKAPI_CALL map(VkDevice, VkDeviceMemory memory, VkDeviceSize, VkDeviceSize, VkMemoryMapFlags, void** address) {
  *address = memory;
  return VK_SUCCESS;
}

template <class Create, class Handle>
VKAPI_ATTR VkResult VKAPI_CALL create_nothing(VkDevice, const Create*, const VkAllocationCallbacks*, Handle* handle) {
  static char something;
  *handle = reinterpret_cast<Handle>(&something);
  return VK_SUCCESS;
}
template <class... Arguments>
VKAPI_ATTR VkResult VKAPI_CALL succeed(Arguments...) {
  return VK_SUCCESS;
}
template <class... Arguments>
VKAPI_ATTR VkResult VKAPI_CALL not_ready(Arguments...) {
  return VK_NOT_READY;
}
template <class... Arguments>
VKAPI_ATTR void VKAPI_CALL do_nothing(Arguments...) {}

/// Records and submits into nothing.
void run_nothing(vk::Api& api) {
  api.vkGetBufferMemoryRequirements = memory_requirements;
  api.vkAllocateMemory = allocate;
  api.vkFreeMemory = release;
  api.vkMapMemory = map;
  api.vkBindBufferMemory = succeed;
  api.vkUpdateDescriptorSets = do_nothing;
  api.vkBeginCommandBuffer = succeed;
  api.vkEndCommandBuffer = succeed;
  api.vkResetCommandBuffer = succeed;
  api.vkCmdBindDescriptorSets = do_nothing;
  api.vkCmdBindPipeline = do_nothing;
  api.vkCmdCopyBuffer = do_nothing;
  api.vkCmdDispatch = do_nothing;
  api.vkCmdFillBuffer = do_nothing;
  api.vkCmdPipelineBarrier = do_nothing;
  api.vkCmdPushConstants = do_nothing;
  api.vkCmdResetQueryPool = do_nothing;
  api.vkCmdWriteTimestamp = do_nothing;
  api.vkCreateQueryPool = create_nothing;
  api.vkDestroyQueryPool = do_nothing;
  api.vkGetQueryPoolResults = not_ready;
  api.vkCreateFence = create_nothing;
  api.vkDestroyFence = do_nothing;
  api.vkResetFences = succeed;
  api.vkWaitForFences = succeed;
  api.vkQueueSubmit = succeed;
}

void read_names(const std::string& shaders) {
  for (const auto& entry : std::filesystem::directory_iterator(shaders)) {
    if (entry.path().extension() != ".spv") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    inspection.names[{std::istreambuf_iterator<char>(file), {}}] = entry.path().stem().string();
  }
}

}  // namespace

int main() {
  try {
    const char* folder = std::getenv("LOUPE_SHADERS");
    const std::string shaders = folder ? folder : LOUPE_SHADERS_DIR;
    read_names(shaders);
    auto instance = std::make_shared<vk::Instance>(false);
    vk::Api& api = instance->api();
    api.vkGetPhysicalDeviceMemoryProperties = memory_properties;
    api.vkGetPhysicalDeviceMemoryProperties2 = memory_properties2;
    inspection.device_function = api.vkGetDeviceProcAddr;
    inspection.create_device = std::exchange(api.vkCreateDevice, create_device);
    const vk::DeviceInfo info = instance->choose("");
    vk::Device device(instance, info);
    if (!inspection.statistics || !inspection.representations)
      throw Error(ErrorCode::device_unsuitable, info.name + " does not tell what its compiler made.", "Use a driver of Mesa.");
    inspection.create_module = std::exchange(api.vkCreateShaderModule, create_module);
    inspection.create_pipelines = std::exchange(api.vkCreateComputePipelines, create_pipelines);
    run_nothing(api);
    vk::Memory memory(device, uint64_t{1} << 40, uint64_t{1} << 40);
    vk::Pipelines pipelines(device, shaders, "");
    for (const Activations activations : {Activations::f32, Activations::f16})
      for (const DType weights : {DType::bf16, DType::f16, DType::q8_0, DType::q4_0, DType::q4_k, DType::q5_k, DType::q6_k})
        for (const cases::NamedCase& one : cases::model_cases(cases::llama_11b_shapes, weights)) {
          cases::Bench bench(device, memory, pipelines, activations, cases::Bench::Fill::zeros);
          one.make(bench).record();
        }
    std::printf("%s\n", nlohmann::json{{"device", info.name}, {"driver", info.driver}, {"kernels", inspection.kernels}}.dump().c_str());
  } catch (const Error& error) {
    std::fprintf(stderr, "shader_stats: %s %s\n", error.what(), error.next_step().c_str());
    return 1;
  }
  return 0;
}
