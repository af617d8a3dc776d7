#pragma once

#include <memory>

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/status.h>

#include "registry/registry_connection.h"

namespace tickmesh::internal {

/// One stream of a watch: read with deadlines by one thread, cancelled by any.
class WatchStream {
 public:
  enum class Outcome {
    kResponse,
    /// Nothing came in time; the next call goes on waiting for it.
    kTimeout,
    kEnded,
  };

  WatchStream(std::shared_ptr<RegistryConnection::Stub> stub,
              const api::registry::v1::WatchRequest& request);
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;
  /// Ends the stream; does not wait for the server.
  ~WatchStream();

  Outcome Next(Deadline deadline);

  /// What came last.
  const api::registry::v1::WatchResponse& response() const { return response_; }

  /// Why the stream ended.
  const grpc::Status& status() const { return status_; }

  /// End the stream: `Next` says so soon.
  void Cancel() { context_.TryCancel(); }

 private:
  enum class Step { kStarting, kIdle, kReading, kFinishing, kFinished };

  void Read();
  void Finish();

  std::shared_ptr<RegistryConnection::Stub> stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderInterface<api::registry::v1::WatchResponse>> reader_;
  api::registry::v1::WatchResponse response_;
  grpc::Status status_;
  Step step_ = Step::kStarting;
};

}  // namespace tickmesh::internal
