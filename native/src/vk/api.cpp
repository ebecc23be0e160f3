#include "vk/api.h"

#include <cstdlib>
#include <vector>

#include "base/error.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace loupe::vk {
namespace {

/// For systems that keep the loader in an unusual place, and for tests of the message when there is none.
const char* named_loader() { return std::getenv("LOUPE_VULKAN_LOADER"); }

#ifdef __APPLE__
/// A package holds MoltenVK beside the engine, signed with it.
std::string beside_the_engine() {
  Dl_info here{};
  if (dladdr(reinterpret_cast<const void*>(&named_loader), &here) == 0 || !here.dli_fname) return "libMoltenVK.dylib";
  const std::string path = here.dli_fname;
  return path.substr(0, path.rfind('/') + 1) + "libMoltenVK.dylib";
}
#endif

PFN_vkGetInstanceProcAddr open_loader() {
#ifdef _WIN32
  if (HMODULE library = LoadLibraryA(named_loader() ? named_loader() : "vulkan-1.dll"))
    return reinterpret_cast<PFN_vkGetInstanceProcAddr>(reinterpret_cast<void*>(GetProcAddress(library, "vkGetInstanceProcAddr")));
#else
#ifdef __APPLE__
  const std::string own = beside_the_engine();
  std::vector<const char*> names{own.c_str(), "libvulkan.1.dylib", "/usr/local/lib/libvulkan.1.dylib",
                                 "/opt/homebrew/lib/libvulkan.1.dylib", "libMoltenVK.dylib"};
#else
  std::vector<const char*> names{"libvulkan.so.1", "libvulkan.so"};
#endif
  if (named_loader()) names = {named_loader()};
  for (const char* name : names)
    // Never closed: drivers leave threads behind that must not lose their code.
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL))
      return reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
#endif
  return nullptr;
}

}  // namespace

void Api::load() {
  vkGetInstanceProcAddr = open_loader();
  if (!vkGetInstanceProcAddr)
    throw Error(ErrorCode::no_vulkan_loader,
                named_loader() ? "There is no Vulkan loader at " + std::string(named_loader()) + ", where LOUPE_VULKAN_LOADER points."
                               : std::string("No Vulkan loader was found on this computer."),
                "Install the graphics driver of your GPU (on Debian or Ubuntu also the package libvulkan1), then try again.");
#define LOUPE_VK_LOAD(name) name = reinterpret_cast<PFN_##name>(vkGetInstanceProcAddr(nullptr, #name));
  LOUPE_VK_GLOBAL(LOUPE_VK_LOAD)
#undef LOUPE_VK_LOAD
}

void Api::load_instance(VkInstance instance) {
#define LOUPE_VK_LOAD(name) name = reinterpret_cast<PFN_##name>(vkGetInstanceProcAddr(instance, #name));
  LOUPE_VK_INSTANCE(LOUPE_VK_LOAD)
  LOUPE_VK_LOAD(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)
  LOUPE_VK_LOAD(vkCreateDebugUtilsMessengerEXT)
  LOUPE_VK_LOAD(vkDestroyDebugUtilsMessengerEXT)
#undef LOUPE_VK_LOAD
}

void Api::load_device(VkDevice device) {
#define LOUPE_VK_LOAD(name) name = reinterpret_cast<PFN_##name>(vkGetDeviceProcAddr(device, #name));
  LOUPE_VK_DEVICE(LOUPE_VK_LOAD)
#undef LOUPE_VK_LOAD
}

std::string result_name(VkResult result) {
  switch (result) {
    case VK_SUCCESS: return "VK_SUCCESS";
    case VK_NOT_READY: return "VK_NOT_READY";
    case VK_TIMEOUT: return "VK_TIMEOUT";
    case VK_ERROR_OUT_OF_HOST_MEMORY: return "VK_ERROR_OUT_OF_HOST_MEMORY";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
    case VK_ERROR_INITIALIZATION_FAILED: return "VK_ERROR_INITIALIZATION_FAILED";
    case VK_ERROR_DEVICE_LOST: return "VK_ERROR_DEVICE_LOST";
    case VK_ERROR_LAYER_NOT_PRESENT: return "VK_ERROR_LAYER_NOT_PRESENT";
    case VK_ERROR_EXTENSION_NOT_PRESENT: return "VK_ERROR_EXTENSION_NOT_PRESENT";
    case VK_ERROR_FEATURE_NOT_PRESENT: return "VK_ERROR_FEATURE_NOT_PRESENT";
    case VK_ERROR_INCOMPATIBLE_DRIVER: return "VK_ERROR_INCOMPATIBLE_DRIVER";
    case VK_ERROR_TOO_MANY_OBJECTS: return "VK_ERROR_TOO_MANY_OBJECTS";
    default: return "VkResult " + std::to_string(static_cast<int>(result));
  }
}

void check(VkResult result, const char* what) {
  if (result == VK_SUCCESS) return;
  const std::string message = std::string(what) + " failed: " + result_name(result) + ".";
  switch (result) {
    case VK_ERROR_DEVICE_LOST:
      throw Error(ErrorCode::device_lost, "The graphics driver reset the device. " + message, "The engine restarts by itself; ask again.");
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      throw Error(ErrorCode::device_out_of_memory, "The device is out of memory. " + message,
                  "Close other programs that use the GPU, or choose a shorter context.");
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      throw Error(ErrorCode::host_out_of_memory, "The computer is out of memory. " + message, "Close other programs and try again.");
    default: throw Error(ErrorCode::internal, message, "Run `loupe doctor` and report what it prints.");
  }
}

}  // namespace loupe::vk
