#pragma once

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/flight/types.h"
#include "arrow/result.h"
#include "tickmesh/tick_read.h"
#include "tickmesh/tick_tail.h"

namespace tickmesh::internal {

/// What a read asks the store for.
///
/// Fails with INVALID_ARGUMENT where an option is out of bounds or contradicts another.
arrow::Result<api::tickstore::v1::ReadCommand> MakeReadCommand(const ReadOptions& options);

/// What a tail asks the store for; its resume token is the position to begin behind, if it has one.
///
/// Fails as `MakeReadCommand` does.
arrow::Result<api::tickstore::v1::ReadCommand> MakeTailCommand(const TailOptions& options);

/// A descriptor that carries a command as `google.protobuf.Any`.
arrow::flight::FlightDescriptor CommandDescriptor(const api::tickstore::v1::ReadCommand& command);

}  // namespace tickmesh::internal
