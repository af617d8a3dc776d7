#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "arrow/flight/client.h"
#include "arrow/result.h"
#include "tickmesh/connection_options.h"

namespace tickmesh::internal {

/// Open a Flight client with the mesh's limits; connects on first use, over a connection of its
/// own.
///
/// \param address `host:port`.
/// \param options valid ones: credentials.
arrow::Result<std::unique_ptr<arrow::flight::FlightClient>> OpenFlight(
    const std::string& address, const ConnectionOptions& options);

/// Options of one Flight call: its request id and, where it has one, its deadline.
arrow::flight::FlightCallOptions FlightCall(
    std::optional<std::chrono::milliseconds> timeout = std::nullopt);

}  // namespace tickmesh::internal
