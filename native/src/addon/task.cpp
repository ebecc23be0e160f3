#include "addon/task.h"

#include <memory>
#include <new>
#include <thread>

namespace loupe::addon {
namespace {

void call_on_loop(Napi::Env env, Napi::Function, std::nullptr_t*, OnLoop* function) {
  const std::unique_ptr<OnLoop> owned(function);
  if (env) (*owned)(env);
}

/// A thread whose owner may be destroyed without having joined it: the last message of a task is dropped when the loop ends first.
struct Worker {
  std::thread thread;
  ~Worker() {
    if (thread.joinable()) thread.detach();
  }
};

using Queue = Napi::TypedThreadSafeFunction<std::nullptr_t, OnLoop, call_on_loop>;

}  // namespace

Napi::Error to_javascript(Napi::Env env, const Error& error) {
  Napi::Error value = Napi::Error::New(env, error.what());
  value.Set("code", Napi::String::New(env, to_string(error.code())));
  value.Set("nextStep", Napi::String::New(env, error.next_step()));
  return value;
}

Napi::Promise run_task(Napi::Env env, Work work, OnLoop then) {
  auto deferred = std::make_shared<Napi::Promise::Deferred>(env);
  const Napi::Promise promise = deferred->Promise();
  auto worker = std::make_shared<Worker>();
  Queue queue = Queue::New(env, "loupe task", 0, 1);
  worker->thread = std::thread([work = std::move(work), then = std::move(then), deferred, worker, queue]() mutable {
    // A refused call means that the loop has ended: it released our hold on the queue, which may no longer exist.
    bool closed = false;
    const Post post = [&queue, &closed](OnLoop function) {
      auto* owned = new OnLoop(std::move(function));
      // What is refused is leaked: it may hold references into JavaScript, which only the loop's thread may end.
      if (!closed) closed = queue.NonBlockingCall(owned) != napi_ok;
    };
    OnLoop settle;
    try {
      settle = [deferred, make = work(post)](Napi::Env loop) { deferred->Resolve(make(loop)); };
    } catch (const Error& error) {
      settle = [deferred, error](Napi::Env loop) { deferred->Reject(to_javascript(loop, error).Value()); };
    } catch (const std::bad_alloc&) {
      settle = [deferred](Napi::Env loop) {
        deferred->Reject(to_javascript(loop, Error(ErrorCode::host_out_of_memory, "The computer is out of memory.",
                                                   "Close other programs and try again."))
                             .Value());
      };
    } catch (const std::exception& exception) {
      settle = [deferred, message = std::string(exception.what())](Napi::Env loop) {
        deferred->Reject(to_javascript(loop, Error(ErrorCode::internal, message, "Run `loupe doctor` and report what it prints.")).Value());
      };
    }
    // `work` travels along so that the callbacks that it holds end on the loop's thread, also after an error.
    post([settle = std::move(settle), then = std::move(then), work = std::move(work), worker = std::move(worker)](Napi::Env loop) {
      worker->thread.join();
      then(loop);
      settle(loop);
    });
    if (!closed) queue.Release();
  });
  return promise;
}

std::pair<Work, std::future<void>> with_end(Work work) {
  auto ended = std::make_shared<std::promise<void>>();
  std::future<void> end = ended->get_future();
  Work watched = [work = std::move(work), ended](const Post& post) {
    struct Signal {
      std::promise<void>& ended;
      ~Signal() { ended.set_value(); }
    } const signal{*ended};
    return work(post);
  };
  return {std::move(watched), std::move(end)};
}

Napi::Promise run_waited_task(Napi::Env env, Work work, std::function<void()> stop) {
  auto [watched, end] = with_end(std::move(work));
  auto hook = env.AddCleanupHook([stop = std::move(stop), ended = std::make_shared<std::future<void>>(std::move(end))] {
    stop();
    ended->wait();
  });
  return run_task(env, std::move(watched), [hook = hook](Napi::Env loop) mutable { hook.Remove(loop); });
}

}  // namespace loupe::addon
