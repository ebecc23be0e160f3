// This process: whether it makes progress, and what happens to it when its parent ends.

#ifdef __linux__
#include <sys/prctl.h>

#include <csignal>
#endif

#include "addon/functions.h"
#include "addon/values.h"
#include "base/activity.h"

namespace loupe::addon {

Napi::Value activity_now(const Napi::CallbackInfo& info) {
  return object(info.Env(), {{"steps", activity::steps()}, {"waiting", activity::waiting()}});
}

// A signal that wakes, not one that kills: the system sends it whenever the parent's thread ends that started this
// process, and that may be one of many.
Napi::Value wake_without_parent(const Napi::CallbackInfo& info) {
#ifdef __linux__
  return Napi::Boolean::New(info.Env(), prctl(PR_SET_PDEATHSIG, SIGCONT) == 0);
#else
  return Napi::Boolean::New(info.Env(), false);
#endif
}

}  // namespace loupe::addon
