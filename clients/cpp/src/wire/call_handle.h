#pragma once

#include <memory>
#include <mutex>

#include "arrow/status.h"

namespace arrow::flight::internal {
class ClientDataStream;
}

namespace tickmesh::internal {

/// A hold on one put or get of Flight, over a `CancellableUri`.
///
/// Arrow's client hands a get out only once it has read its schema, and its puts have no `Cancel`:
/// against a server that does not answer, nobody could end either.
class CallHandle {
 public:
  /// End the call, or the one that will be bound; from any thread.
  void Cancel();

  /// What the call ended with. Waits for that end; only while whoever opened the call keeps it.
  arrow::Status Finish();

  /// Binds the call that this thread opens while it lives.
  class Scope {
   public:
    explicit Scope(std::shared_ptr<CallHandle> handle);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();
  };

  /// Called by the transport: the same stream, in the hand of this thread's scope.
  static std::unique_ptr<arrow::flight::internal::ClientDataStream> Bind(
      std::unique_ptr<arrow::flight::internal::ClientDataStream> stream);

 private:
  class BoundStream;

  std::mutex mutex_;
  arrow::flight::internal::ClientDataStream* stream_ = nullptr;
  bool cancelled_ = false;
};

}  // namespace tickmesh::internal
