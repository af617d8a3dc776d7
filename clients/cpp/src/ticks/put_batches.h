#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "arrow/result.h"
#include "arrow/type_fwd.h"

namespace tickmesh::internal {

// A message stays near so many bytes, well under the 16 MiB a peer must take, and so many rows.
inline constexpr std::int64_t kMaxMessageBytes = 4 * 1024 * 1024;
inline constexpr std::int64_t kMaxMessageRows = 65'536;
/// No message is ever larger; less than 16 MiB by what encloses the columns.
inline constexpr std::int64_t kMaxWireBytes = 16 * 1024 * 1024 - 64 * 1024;

/// Some rows, and the bytes they take with their dictionaries.
struct SizedBatch {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::int64_t bytes = 0;
};

/// Cut a batch into parts that fit a message each, without copying; one without rows stays one.
///
/// Fails with INVALID_ARGUMENT, reason MESSAGE_TOO_LARGE, where a single row or a dictionary is
/// larger than a message may be.
arrow::Result<std::vector<SizedBatch>> CutToMessages(
    const std::shared_ptr<arrow::RecordBatch>& batch);

}  // namespace tickmesh::internal
