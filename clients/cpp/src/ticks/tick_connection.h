#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "tickmesh/api/tickstore/v1/tick_store_service.grpc.pb.h"

#include "arrow/flight/client.h"
#include "arrow/result.h"
#include "tickmesh/connection_options.h"

namespace tickmesh::internal {

/// A gRPC channel for control and Flight clients for data, opened on first use; for many threads.
class TickConnection {
 public:
  using Stub = api::tickstore::v1::TickStoreService::StubInterface;

  /// \param options valid ones.
  explicit TickConnection(ConnectionOptions options);

  /// The control plane; prepare each call's context with `PrepareCall(…, options().call_timeout)`.
  std::shared_ptr<Stub> stub();

  /// A Flight client with a connection of its own, one a place; 0 is the one for everything else.
  ///
  /// Receiving is bound by copying out of a connection: reads side by side take several.
  arrow::Result<std::shared_ptr<arrow::flight::FlightClient>> flight(std::size_t place = 0);

  /// Open new Flight connections from now on: those there are may be dead, which gRPC finds out
  /// only by its pings.
  void ForgetFlights();

  const ConnectionOptions& options() const { return options_; }

 private:
  const ConnectionOptions options_;
  std::mutex opening_;  // guards what follows
  std::shared_ptr<Stub> stub_;
  std::map<std::size_t, std::shared_ptr<arrow::flight::FlightClient>> flights_;
};

}  // namespace tickmesh::internal
