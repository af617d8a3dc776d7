#pragma once

#include <string>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "tickmesh/tick_client.h"
#include "ticks/tick_connection.h"

namespace tickmesh::internal {

/// Send everything a reader gives under one atomic command; visible together or not at all.
arrow::Result<PutReceipt> Upload(TickConnection* connection, const std::string& subject,
                                 arrow::RecordBatchReader* data, const PutOptions& options);

}  // namespace tickmesh::internal
