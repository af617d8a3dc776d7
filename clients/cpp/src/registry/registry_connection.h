#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <set>

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "tickmesh/api/registry/v1/schema_registry_service.grpc.pb.h"

#include "arrow/status.h"
#include "tickmesh/connection_options.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace tickmesh::internal {

using Deadline = std::chrono::steady_clock::time_point;

/// The instant in `timeout` from now, within reach of the clock however long that is.
Deadline DeadlineAfter(std::chrono::milliseconds timeout);

/// CANCELLED, reason CLOSED.
arrow::Status ClosedError();

/// Calls to the registry that can be ended from another thread.
class RegistryConnection {
 public:
  using Stub = api::registry::v1::SchemaRegistryService::StubInterface;

  /// \param options valid ones; connects on first use.
  explicit RegistryConnection(ConnectionOptions options);

  /// Call a method of `Stub` that answers once.
  template <typename Request, typename Response>
  arrow::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                     const Request& request, Response* response, Deadline deadline) {
    grpc::ClientContext context;
    ARROW_RETURN_NOT_OK(Begin(&context, deadline));
    const grpc::Status status = (stub_.get()->*method)(&context, request, response);
    return End(&context, status);
  }

  /// A stub on the connection of all calls.
  const std::shared_ptr<Stub>& stub() const { return stub_; }

  /// A stub with a connection of its own.
  std::shared_ptr<Stub> NewStub() const;

  /// When a call that begins now has to have ended.
  Deadline NewDeadline() const;

  const ConnectionOptions& options() const { return options_; }

  /// End all calls, and those to come: they fail with CLOSED.
  void Close();

 private:
  arrow::Status Begin(grpc::ClientContext* context, Deadline deadline);
  arrow::Status End(grpc::ClientContext* context, const grpc::Status& status);

  const ConnectionOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::shared_ptr<Stub> stub_;
  std::mutex mutex_;  // guards what follows
  bool closed_ = false;
  std::set<grpc::ClientContext*> calls_;
};

}  // namespace tickmesh::internal
