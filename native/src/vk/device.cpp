#include "vk/device.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace loupe::vk {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";
/// Attention keeps a query, a key and a value tile there (shaders/attention.comp).
constexpr uint32_t needed_shared_bytes = 32768;

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
  if (severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT) static_cast<Instance*>(user)->count_validation_error();
  std::fprintf(stderr, "[vulkan] %s\n", data->pMessage);
  return VK_FALSE;
}

std::string version_text(uint32_t version) {
  return std::to_string(VK_API_VERSION_MAJOR(version)) + "." + std::to_string(VK_API_VERSION_MINOR(version)) + "." +
         std::to_string(VK_API_VERSION_PATCH(version));
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool contains(const std::vector<VkExtensionProperties>& extensions, const char* name) {
  return std::any_of(extensions.begin(), extensions.end(), [&](const auto& e) { return std::strcmp(e.extensionName, name) == 0; });
}

std::vector<VkExtensionProperties> device_extensions(const Api& api, VkPhysicalDevice device) {
  uint32_t count = 0;
  api.vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr);
  std::vector<VkExtensionProperties> list(count);
  api.vkEnumerateDeviceExtensionProperties(device, nullptr, &count, list.data());
  return list;
}

int compute_queue_family(const Api& api, VkPhysicalDevice device, uint32_t* timestamp_bits) {
  uint32_t count = 0;
  api.vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  api.vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
  for (uint32_t i = 0; i < count; ++i)
    if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) {
      *timestamp_bits = families[i].timestampValidBits;
      return static_cast<int>(i);
    }
  return -1;
}

/// Lower is better.
int preference(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::discrete: return 0;
    case DeviceKind::integrated: return 1;
    case DeviceKind::virtual_gpu: return 2;
    case DeviceKind::cpu: return 3;
    case DeviceKind::other: return 4;
  }
  return 4;
}

}  // namespace

const char* to_string(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::discrete: return "discrete";
    case DeviceKind::integrated: return "integrated";
    case DeviceKind::virtual_gpu: return "virtual";
    case DeviceKind::cpu: return "cpu";
    case DeviceKind::other: return "other";
  }
  return "other";
}

Instance::Instance(bool validation) {
  api_.load();
  uint32_t version = VK_API_VERSION_1_0;
  if (api_.vkEnumerateInstanceVersion) api_.vkEnumerateInstanceVersion(&version);
  if (version < VK_API_VERSION_1_2)
    throw Error(ErrorCode::no_vulkan_loader, "The Vulkan loader is of version " + version_text(version) + "; 1.2 is needed.",
                "Update the graphics driver or the Vulkan loader.");

  std::vector<const char*> layers, extensions;
  if (validation) {
    uint32_t count = 0;
    api_.vkEnumerateInstanceLayerProperties(&count, nullptr);
    std::vector<VkLayerProperties> available(count);
    api_.vkEnumerateInstanceLayerProperties(&count, available.data());
    if (std::none_of(available.begin(), available.end(), [](const auto& l) { return std::strcmp(l.layerName, validation_layer) == 0; }))
      throw Error(ErrorCode::internal, "The Vulkan validation layer was asked for and is not installed.",
                  "Install the package vulkan-validationlayers.");
    layers.push_back(validation_layer);
    extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
  }
  uint32_t extension_count = 0;
  api_.vkEnumerateInstanceExtensionProperties(nullptr, &extension_count, nullptr);
  std::vector<VkExtensionProperties> available_extensions(extension_count);
  api_.vkEnumerateInstanceExtensionProperties(nullptr, &extension_count, available_extensions.data());
  VkInstanceCreateFlags flags = 0;
  // MoltenVK is hidden from programs that do not say that they know about portability.
  if (contains(available_extensions, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
    extensions.push_back(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
  }

  VkDebugUtilsMessengerCreateInfoEXT messenger{VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
  messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT;
  messenger.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
  messenger.pfnUserCallback = on_message;
  messenger.pUserData = this;

  VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO};
  application.pApplicationName = "Loupe";
  // The highest version that we know; the loader lowers it to the device's.
  application.apiVersion = std::min<uint32_t>(version, VK_API_VERSION_1_3);
  VkInstanceCreateInfo info{VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
  info.flags = flags;
  info.pApplicationInfo = &application;
  info.enabledLayerCount = static_cast<uint32_t>(layers.size());
  info.ppEnabledLayerNames = layers.data();
  info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();
  const VkResult created = api_.vkCreateInstance(&info, nullptr, &instance_);
  if (created == VK_ERROR_INCOMPATIBLE_DRIVER)
    throw Error(ErrorCode::no_device, "The Vulkan loader is installed, but no driver is.", "Install the graphics driver of your GPU.");
  check(created, "vkCreateInstance");
  api_.load_instance(instance_);
  if (validation) check(api_.vkCreateDebugUtilsMessengerEXT(instance_, &messenger, nullptr, &messenger_), "vkCreateDebugUtilsMessengerEXT");

  uint32_t count = 0;
  if (api_.vkEnumeratePhysicalDevices(instance_, &count, nullptr) == VK_SUCCESS) {
    physical_.resize(count);
    api_.vkEnumeratePhysicalDevices(instance_, &count, physical_.data());
    physical_.resize(count);
  }
}

Instance::~Instance() {
  if (messenger_) api_.vkDestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  if (instance_) api_.vkDestroyInstance(instance_, nullptr);
}

DeviceInfo Instance::describe(int index) const {
  const VkPhysicalDevice physical = physical_[index];
  const auto extensions = device_extensions(api_, physical);
  DeviceInfo info;
  info.index = index;

  VkPhysicalDeviceMaintenance3Properties maintenance{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
  VkPhysicalDeviceDriverProperties driver{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, &maintenance};
  VkPhysicalDeviceSubgroupProperties subgroup{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, &driver};
  VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &subgroup};
  api_.vkGetPhysicalDeviceProperties(physical, &properties.properties);
  const uint32_t version = properties.properties.apiVersion;
  info.name = properties.properties.deviceName;
  info.api_version = version_text(version);
  if (version < VK_API_VERSION_1_2) {
    info.reason = "it offers Vulkan " + info.api_version + "; 1.2 is needed";
    return info;
  }
  api_.vkGetPhysicalDeviceProperties2(physical, &properties);
  const VkPhysicalDeviceProperties& core = properties.properties;
  const VkPhysicalDeviceLimits& limits = core.limits;
  switch (core.deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: info.kind = DeviceKind::discrete; break;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: info.kind = DeviceKind::integrated; break;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: info.kind = DeviceKind::virtual_gpu; break;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: info.kind = DeviceKind::cpu; break;
    default: info.kind = DeviceKind::other; break;
  }
  info.driver = std::string(driver.driverName) + " " + driver.driverInfo;
  info.vendor_id = core.vendorID;
  info.device_id = core.deviceID;
  info.driver_version = core.driverVersion;
  std::memcpy(info.pipeline_cache_uuid, core.pipelineCacheUUID, VK_UUID_SIZE);
  info.max_binding_bytes = limits.maxStorageBufferRange;
  info.max_allocation_bytes = maintenance.maxMemoryAllocationSize;
  info.max_shared_bytes = limits.maxComputeSharedMemorySize;
  info.max_workgroup_threads = limits.maxComputeWorkGroupInvocations;
  info.max_push_bytes = limits.maxPushConstantsSize;
  std::copy(limits.maxComputeWorkGroupCount, limits.maxComputeWorkGroupCount + 3, info.max_groups);
  info.storage_alignment = limits.minStorageBufferOffsetAlignment;
  info.atom_bytes = limits.nonCoherentAtomSize;
  info.timestamp_period_ns = limits.timestampPeriod;
  info.subgroup_size = subgroup.subgroupSize;
  const auto in_compute = [&](VkSubgroupFeatureFlags operations) {
    return (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) && (subgroup.supportedOperations & operations);
  };
  info.subgroup_arithmetic = in_compute(VK_SUBGROUP_FEATURE_ARITHMETIC_BIT);
  info.subgroup_shuffle = in_compute(VK_SUBGROUP_FEATURE_SHUFFLE_BIT);

  const bool offers_matrices = contains(extensions, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
  const bool offers_size_control = contains(extensions, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
  VkPhysicalDeviceSubgroupSizeControlFeatures size_control{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
                                                           offers_matrices ? &matrix : nullptr};
  VkPhysicalDeviceVulkan12Features v12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                       offers_size_control ? &size_control : size_control.pNext};
  VkPhysicalDeviceVulkan11Features v11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &v12};
  VkPhysicalDeviceFeatures2 features{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &v11};
  api_.vkGetPhysicalDeviceFeatures2(physical, &features);
  info.float16 = v12.shaderFloat16;
  info.int8 = v12.shaderInt8;
  info.storage8 = v12.storageBuffer8BitAccess;
  info.storage16 = v11.storageBuffer16BitAccess;
  // Atomics on buffers, which the sampler needs, have the scope of the device; within the model that is a feature of its own.
  info.memory_model = v12.vulkanMemoryModel && v12.vulkanMemoryModelDeviceScope;
  if (size_control.subgroupSizeControl && size_control.computeFullSubgroups) {
    VkPhysicalDeviceSubgroupSizeControlProperties sizes{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceProperties2 query{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &sizes};
    api_.vkGetPhysicalDeviceProperties2(physical, &query);
    info.subgroup_size_control = (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                                 sizes.minSubgroupSize <= info.subgroup_size && info.subgroup_size <= sizes.maxSubgroupSize;
    if (info.subgroup_size_control) {
      info.min_subgroup_size = sizes.minSubgroupSize;
      info.max_subgroup_size = sizes.maxSubgroupSize;
    }
  }

  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
  info.memory_budget = contains(extensions, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  VkPhysicalDeviceMemoryProperties2 memory{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, info.memory_budget ? &budget : nullptr};
  api_.vkGetPhysicalDeviceMemoryProperties2(physical, &memory);
  if (info.memory_budget) info.budget_bytes = 0;
  for (uint32_t heap = 0; heap < memory.memoryProperties.memoryHeapCount; ++heap) {
    if (!(memory.memoryProperties.memoryHeaps[heap].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)) continue;
    info.memory_bytes += memory.memoryProperties.memoryHeaps[heap].size;
    if (info.memory_budget && budget.heapBudget[heap] > budget.heapUsage[heap])
      info.budget_bytes += static_cast<int64_t>(budget.heapBudget[heap] - budget.heapUsage[heap]);
  }

  uint32_t timestamp_bits = 0;
  const int family = compute_queue_family(api_, physical, &timestamp_bits);
  info.timestamps = timestamp_bits > 0 && info.timestamp_period_ns > 0;

  if (offers_matrices && matrix.cooperativeMatrix && info.float16 && info.storage16 && info.memory_model &&
      api_.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR) {
    uint32_t count = 0;
    api_.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, &count, nullptr);
    std::vector<VkCooperativeMatrixPropertiesKHR> shapes(count, {VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR});
    api_.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, &count, shapes.data());
    for (const auto& shape : shapes)
      if (shape.AType == VK_COMPONENT_TYPE_FLOAT16_KHR && shape.BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
          shape.CType == VK_COMPONENT_TYPE_FLOAT32_KHR && shape.ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
          shape.scope == VK_SCOPE_SUBGROUP_KHR && !shape.saturatingAccumulation)
        info.matrix_shapes.push_back({shape.MSize, shape.NSize, shape.KSize});
  }

  if (family < 0)
    info.reason = "it has no compute queue";
  else if (!info.subgroup_arithmetic)
    info.reason = "it has no subgroup arithmetic in compute shaders";
  else if (info.subgroup_size < 4 || info.subgroup_size > 128)
    info.reason = "its subgroups have " + std::to_string(info.subgroup_size) + " threads; 4 to 128 are supported";
  else if (info.max_shared_bytes < needed_shared_bytes)
    info.reason = "it has " + std::to_string(info.max_shared_bytes) + " bytes of shared memory a workgroup; " +
                  std::to_string(needed_shared_bytes) + " are needed";
  else if (info.max_workgroup_threads < 256)
    info.reason = "its workgroups hold fewer than 256 threads";
  info.suitable = info.reason.empty();
  return info;
}

std::vector<DeviceInfo> Instance::devices() const {
  std::vector<DeviceInfo> list;
  for (size_t i = 0; i < physical_.size(); ++i) list.push_back(describe(static_cast<int>(i)));
  return list;
}

DeviceInfo Instance::choose(const std::string& request) const {
  const auto list = devices();
  std::string names;
  for (const auto& device : list) names += (names.empty() ? "" : ", ") + std::to_string(device.index) + " = " + device.name;
  if (list.empty())
    throw Error(ErrorCode::no_device, "Vulkan found no device on this computer.",
                "Install the graphics driver of your GPU. Without a GPU, the software driver works slowly (on Debian or Ubuntu: "
                "mesa-vulkan-drivers).");
  const DeviceInfo* best = nullptr;
  for (const auto& device : list)
    if (request == std::to_string(device.index)) best = &device;
  const bool by_index = best;  // "0" means the first device, not some "RTX 4090"
  for (const auto& device : list) {
    const bool matches = !by_index && (request.empty() ? device.suitable : lower(device.name).find(lower(request)) != std::string::npos);
    if (matches && (!best || preference(device.kind) < preference(best->kind))) best = &device;
  }
  if (!best && !request.empty())
    throw Error(ErrorCode::no_device, "No Vulkan device matches \"" + request + "\".", "Choose one of: " + names + ".");
  if (!best)
    throw Error(ErrorCode::device_unsuitable, list[0].name + " cannot run the engine: " + list[0].reason + ".",
                "Update its driver, or use another device.");
  if (!best->suitable)
    throw Error(ErrorCode::device_unsuitable, best->name + " cannot run the engine: " + best->reason + ".",
                "Choose another device: " + names + ".");
  return *best;
}

Device::Device(std::shared_ptr<Instance> instance, const DeviceInfo& info)
    : instance_(std::move(instance)), info_(info), quirks_(quirks_of(info)) {
  Api& api = instance_->api();
  uint32_t timestamp_bits = 0;
  queue_family_ = static_cast<uint32_t>(compute_queue_family(api, physical(), &timestamp_bits));
  const auto available = device_extensions(api, physical());
  std::vector<const char*> extensions;
  if (info_.memory_budget) extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  if (contains(available, "VK_KHR_portability_subset")) extensions.push_back("VK_KHR_portability_subset");

  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
  VkPhysicalDeviceSubgroupSizeControlFeatures size_control{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
  size_control.subgroupSizeControl = size_control.computeFullSubgroups = VK_TRUE;
  VkPhysicalDeviceVulkan12Features v12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
  VkPhysicalDeviceVulkan11Features v11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &v12};
  VkPhysicalDeviceFeatures2 features{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &v11};
  if (cooperative_matrix()) {
    extensions.push_back(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    matrix.cooperativeMatrix = VK_TRUE;
    v12.pNext = &matrix;
    if (info_.subgroup_size_control) {
      extensions.push_back(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
      matrix.pNext = &size_control;
    }
    v12.shaderFloat16 = VK_TRUE;
    v12.vulkanMemoryModel = v12.vulkanMemoryModelDeviceScope = VK_TRUE;
    v11.storageBuffer16BitAccess = VK_TRUE;
  }

  const float priority = 1.0f;
  VkDeviceQueueCreateInfo queue{VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
  queue.queueFamilyIndex = queue_family_;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkDeviceCreateInfo create{VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &features};
  create.queueCreateInfoCount = 1;
  create.pQueueCreateInfos = &queue;
  create.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  create.ppEnabledExtensionNames = extensions.data();
  check(api.vkCreateDevice(physical(), &create, nullptr, &device_), "vkCreateDevice");
  api.load_device(device_);
  api.vkGetDeviceQueue(device_, queue_family_, 0, &queue_);
}

Device::~Device() {
  if (!device_) return;
  if (hung_) {
    new std::shared_ptr<Instance>(instance_);  // stays, as the device does
    return;
  }
  // Idle: every submission is a recorder's, which has waited for it.
  api().vkDestroyDevice(device_, nullptr);
}

}  // namespace loupe::vk
