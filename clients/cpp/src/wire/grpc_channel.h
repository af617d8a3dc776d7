#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "arrow/result.h"
#include "tickmesh/connection_options.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace tickmesh::internal {

/// Open a gRPC channel with the mesh's limits, retries of calls and keepalive; connects on first
/// use, over a connection of its own.
///
/// \param address `host:port`, or several replicas (see ConnectionOptions::registry).
/// \param options valid ones: credentials and how often a call is tried.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const ConnectionOptions& options);

/// Give a call its request id and its deadline.
void PrepareCall(grpc::ClientContext* context, std::chrono::milliseconds timeout);

/// Give a stream its request id; it has no deadline.
void PrepareStream(grpc::ClientContext* context);

}  // namespace tickmesh::internal
