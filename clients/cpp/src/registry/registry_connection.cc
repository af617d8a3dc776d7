#include "registry/registry_connection.h"

#include <algorithm>
#include <utility>

#include <grpcpp/channel.h>

#include "tickmesh/status.h"
#include "wire/grpc_channel.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

Deadline DeadlineAfter(std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  return std::chrono::steady_clock::now() + std::min(timeout, kLongest);
}

arrow::Status ClosedError() {
  return MakeError("the client is closed",
                   {.code = ErrorCode::kCancelled, .reason = "CLOSED", .domain = "tickmesh"});
}

RegistryConnection::RegistryConnection(ConnectionOptions options)
    : options_(std::move(options)),
      channel_(OpenChannel(options_.registry, options_)),
      stub_(api::registry::v1::SchemaRegistryService::NewStub(channel_)) {}

std::shared_ptr<RegistryConnection::Stub> RegistryConnection::NewStub() const {
  return api::registry::v1::SchemaRegistryService::NewStub(
      OpenChannel(options_.registry, options_));
}

Deadline RegistryConnection::NewDeadline() const { return DeadlineAfter(options_.call_timeout); }

void RegistryConnection::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* call : calls_) call->TryCancel();
}

arrow::Status RegistryConnection::Begin(grpc::ClientContext* context, Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  PrepareCall(context, std::chrono::ceil<std::chrono::milliseconds>(left));
  const std::lock_guard lock(mutex_);
  if (closed_) return ClosedError();
  calls_.insert(context);
  return arrow::Status::OK();
}

arrow::Status RegistryConnection::End(grpc::ClientContext* context, const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    calls_.erase(context);
    if (closed_ && !status.ok()) return ClosedError();
  }
  // A call that was tried again until its time was over has met nobody: that is no slow answer.
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      channel_->GetState(false) != GRPC_CHANNEL_READY) {
    return MakeError("no connection to " + options_.registry + " before the deadline",
                     {.code = ErrorCode::kUnavailable, .reason = "UNREACHABLE"});
  }
  return FromGrpc(status, options_.registry);
}

}  // namespace tickmesh::internal
