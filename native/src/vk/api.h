#pragma once
// The Vulkan functions that the engine calls, found at run time so that the addon loads (and can
// explain itself) on machines without a Vulkan loader.

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include "vk/cooperative_matrix.h"

#include <string>

namespace loupe::vk {

// clang-format off
#define LOUPE_VK_GLOBAL(X)                                                                       \
  X(vkCreateInstance) X(vkEnumerateInstanceVersion)                                              \
  X(vkEnumerateInstanceLayerProperties) X(vkEnumerateInstanceExtensionProperties)

#define LOUPE_VK_INSTANCE(X)                                                                     \
  X(vkDestroyInstance) X(vkEnumeratePhysicalDevices) X(vkGetPhysicalDeviceProperties)            \
  X(vkGetPhysicalDeviceProperties2) X(vkGetPhysicalDeviceFeatures2)                              \
  X(vkGetPhysicalDeviceMemoryProperties) X(vkGetPhysicalDeviceMemoryProperties2)                 \
  X(vkGetPhysicalDeviceQueueFamilyProperties) X(vkEnumerateDeviceExtensionProperties)            \
  X(vkCreateDevice) X(vkGetDeviceProcAddr)

#define LOUPE_VK_DEVICE(X)                                                                       \
  X(vkDestroyDevice) X(vkGetDeviceQueue) X(vkQueueSubmit)                                        \
  X(vkAllocateMemory) X(vkFreeMemory) X(vkMapMemory)                                             \
  X(vkCreateBuffer) X(vkDestroyBuffer) X(vkBindBufferMemory) X(vkGetBufferMemoryRequirements)    \
  X(vkCreateShaderModule) X(vkDestroyShaderModule)                                               \
  X(vkCreateDescriptorSetLayout) X(vkDestroyDescriptorSetLayout)                                 \
  X(vkCreatePipelineLayout) X(vkDestroyPipelineLayout)                                           \
  X(vkCreateComputePipelines) X(vkDestroyPipeline)                                               \
  X(vkCreatePipelineCache) X(vkDestroyPipelineCache) X(vkGetPipelineCacheData)                   \
  X(vkCreateDescriptorPool) X(vkDestroyDescriptorPool) X(vkResetDescriptorPool)                  \
  X(vkAllocateDescriptorSets) X(vkUpdateDescriptorSets)                                          \
  X(vkCreateCommandPool) X(vkDestroyCommandPool) X(vkAllocateCommandBuffers)                     \
  X(vkBeginCommandBuffer) X(vkEndCommandBuffer) X(vkResetCommandBuffer)                          \
  X(vkCmdBindPipeline) X(vkCmdBindDescriptorSets) X(vkCmdPushConstants) X(vkCmdDispatch)         \
  X(vkCmdPipelineBarrier) X(vkCmdCopyBuffer) X(vkCmdFillBuffer)                                  \
  X(vkCmdResetQueryPool) X(vkCmdWriteTimestamp) X(vkCreateQueryPool) X(vkDestroyQueryPool)       \
  X(vkGetQueryPoolResults) X(vkCreateFence) X(vkDestroyFence) X(vkWaitForFences) X(vkResetFences)
// clang-format on

/// Function table. Global entries are filled by `load`, the rest as instance and device come up.
struct Api {
#define LOUPE_VK_DECLARE(name) PFN_##name name = nullptr;
  PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr = nullptr;
  LOUPE_VK_GLOBAL(LOUPE_VK_DECLARE)
  LOUPE_VK_INSTANCE(LOUPE_VK_DECLARE)
  LOUPE_VK_DEVICE(LOUPE_VK_DECLARE)
  PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR = nullptr;
  PFN_vkCreateDebugUtilsMessengerEXT vkCreateDebugUtilsMessengerEXT = nullptr;
  PFN_vkDestroyDebugUtilsMessengerEXT vkDestroyDebugUtilsMessengerEXT = nullptr;
#undef LOUPE_VK_DECLARE

  /// Opens the Vulkan loader: the library that LOUPE_VULKAN_LOADER names, else the system's.
  /// Throws `no_vulkan_loader`.
  void load();
  void load_instance(VkInstance instance);
  void load_device(VkDevice device);
};

/// "VK_ERROR_DEVICE_LOST" and so on.
std::string result_name(VkResult result);

/// Throws device_lost, device_out_of_memory, host_out_of_memory or internal unless `result` is VK_SUCCESS.
void check(VkResult result, const char* what);

}  // namespace loupe::vk
