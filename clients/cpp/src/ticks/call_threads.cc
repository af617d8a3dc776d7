#include "ticks/call_threads.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

constexpr std::chrono::seconds kPatience{1};

}  // namespace

struct CallThreads::Running {
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t count = 0;
};

CallThreads::CallThreads() : running_(std::make_shared<Running>()) {}

arrow::Status CallThreads::Start(std::function<void()> body) {
  const auto count = [](Running& running, std::ptrdiff_t change) {
    const std::lock_guard lock(running.mutex);
    running.count += change;
    running.ended.notify_all();
  };
  count(*running_, 1);
  try {
    threads_.emplace_back([running = running_, body = std::move(body), count]() mutable {
      body();
      // What the thread holds is gone before its owner hears of its end.
      body = nullptr;
      count(*running, -1);
    });
  } catch (const std::system_error& error) {
    count(*running_, -1);
    return MakeError("the system gives no thread: " + std::string(error.what()),
                     {.code = ErrorCode::kResourceExhausted, .reason = "LIMIT_EXCEEDED"});
  }
  return arrow::Status::OK();
}

void CallThreads::Join() {
  bool all;
  {
    std::unique_lock lock(running_->mutex);
    all = running_->ended.wait_for(lock, kPatience, [this] { return running_->count == 0; });
  }
  for (std::thread& thread : threads_) all ? thread.join() : thread.detach();
  threads_.clear();
}

}  // namespace tickmesh::internal
