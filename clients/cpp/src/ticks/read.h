#pragma once

#include <memory>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "tickmesh/tick_read.h"
#include "ticks/tick_connection.h"

namespace tickmesh::internal {

/// Read one snapshot into a table; see TickClient::Read.
arrow::Result<std::shared_ptr<arrow::Table>> ReadTable(
    const std::shared_ptr<TickConnection>& connection, const ReadOptions& options);

/// Read one snapshot batch by batch; see TickClient::Stream.
arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenStream(
    const std::shared_ptr<TickConnection>& connection, const ReadOptions& options);

}  // namespace tickmesh::internal
