#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arrow/flight/server.h"
#include "arrow/result.h"
#include "tickmesh/connection_options.h"

/// \file
/// A peer that answers as no tick store does, in this process: what a client must survive.

namespace tickmesh::testing {

/// What a hostile store does, from a thread of its own for each call; what is not set is not
/// implemented. Producers are opened as a tick store opens them.
struct Hostility {
  std::function<arrow::Result<arrow::flight::FlightInfo>()> plan = {};
  std::function<arrow::Result<std::unique_ptr<arrow::flight::FlightDataStream>>(
      const std::string& ticket)>
      get = {};
  std::function<arrow::Status(arrow::flight::FlightMessageReader* messages,
                              arrow::flight::FlightMetadataWriter* answers)>
      put = {};
  std::function<arrow::Status(arrow::flight::FlightMessageReader* reader,
                              arrow::flight::FlightMessageWriter* writer)>
      exchange = {};
  /// The server's own certificate and key; plain text without them.
  TlsOptions certificate = {};
};

/// Serves on loopback while it lives.
class HostileStore {
 public:
  explicit HostileStore(Hostility hostility);
  HostileStore(const HostileStore&) = delete;
  HostileStore& operator=(const HostileStore&) = delete;
  ~HostileStore();

  /// Options of a client that takes it for a tick store.
  ConnectionOptions Here() const;

  /// The `authorization` of every call so far, as in `DoGet Bearer …`; nothing behind the name for
  /// a call without one.
  std::vector<std::string> authorizations() const;

 private:
  class Calls;
  class DataPlane;
  class ControlPlane;

  std::unique_ptr<Calls> calls_;
  std::unique_ptr<DataPlane> data_plane_;
  std::unique_ptr<ControlPlane> control_plane_;
};

/// A failure as the tick store sends one: the truth in `extra_info`.
arrow::Status StoreError(int code, const std::string& reason, const std::string& message);

}  // namespace tickmesh::testing
