#pragma once
// Work on a thread of its own whose callbacks and result reach JavaScript in order, through one queue.

#include <napi.h>

#include <functional>
#include <future>
#include <utility>

#include "base/error.h"

namespace loupe::addon {

/// Runs on the event loop.
using OnLoop = std::function<void(Napi::Env)>;
/// Hands a function to the event loop; any thread.
using Post = std::function<void(OnLoop)>;
/// Makes the promise's value; runs on the event loop.
using MakeValue = std::function<Napi::Value(Napi::Env)>;

/// Runs on a thread of its own.
using Work = std::function<MakeValue(const Post&)>;

/// An Error as JavaScript sees it: `code`, `nextStep`.
Napi::Error to_javascript(Napi::Env env, const Error& error);

/// Runs `work` on a new thread. The promise settles after everything that `work` posted has run; `then`
/// runs just before, on the event loop, success or not. An exception of `work` rejects the promise.
Napi::Promise run_task(Napi::Env env, Work work, OnLoop then);

/// As `run_task`; a process that ends in the middle calls `stop` and waits for `work`.
Napi::Promise run_waited_task(Napi::Env env, Work work, std::function<void()> stop = [] {});

/// `work`, and a future that is ready once `work` has returned or thrown.
std::pair<Work, std::future<void>> with_end(Work work);

/// Calls `body` and turns an Error into a JavaScript exception.
template <class Body>
auto translate(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw to_javascript(env, error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw to_javascript(env, Error(ErrorCode::internal, error.what()));
  }
}

/// What `translate` throws, as a rejected promise: an asynchronous function has one way to fail.
template <class Body>
Napi::Value promised(Napi::Env env, Body&& body) {
  try {
    return translate(env, body);
  } catch (const Napi::Error& error) {
    const Napi::Promise::Deferred deferred(env);
    deferred.Reject(error.Value());
    return deferred.Promise();
  }
}

}  // namespace loupe::addon
