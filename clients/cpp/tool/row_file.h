#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "tickmesh/registered_schema.h"

namespace tickmesh::tool {

/// The rows of a CSV file with a header, block by block, in the types of a schema version.
///
/// Fails with INVALID_ARGUMENT where the file cannot be opened or its first block cannot be read;
/// later blocks fail when they are reached.
arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenCsv(const std::string& file,
                                                                 const RegisteredSchema& schema);

/// Write batches as they come to a file that ends with .csv or .arrow; returns the rows written.
///
/// The file is there as a whole or not at all.
arrow::Result<std::int64_t> WriteRows(arrow::RecordBatchReader* rows, const std::string& file);

}  // namespace tickmesh::tool
