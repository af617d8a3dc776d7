#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "arrow/status.h"

namespace tickmesh::internal {

/// Threads that make calls which may block; what they share with their owner they hold themselves.
///
/// A call of Flight cannot be cancelled while its connection is being made, which gRPC gives up
/// after 20 seconds. A thread that is caught in one when its owner ends is left to that; the owner
/// does not wait for it.
class CallThreads {
 public:
  CallThreads();
  CallThreads(const CallThreads&) = delete;
  CallThreads& operator=(const CallThreads&) = delete;
  ~CallThreads() { Join(); }

  /// Start a thread.
  ///
  /// \param body refers to nothing that it does not hold; throws nothing.
  ///
  /// Fails with RESOURCE_EXHAUSTED when the system gives no more threads.
  arrow::Status Start(std::function<void()> body);

  /// Wait for the threads, which have been told to end; not for those that cannot hear it.
  void Join();

 private:
  struct Running;

  std::shared_ptr<Running> running_;
  std::vector<std::thread> threads_;
};

}  // namespace tickmesh::internal
