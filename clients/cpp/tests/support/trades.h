#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arrow/type_fwd.h"

/// \file
/// Rows for the tick store, and a reader of them that knows nothing of the mesh. What goes wrong
/// here throws, and so fails the test.

namespace tickmesh::testing {

/// Valid rows under `TradesSchema`: sizes count on from `first`, so that each row can be told
/// apart.
std::shared_ptr<arrow::RecordBatch> Trades(std::int64_t rows, std::int64_t first = 0);

/// The same as a table of batches of `rows_per_batch`.
std::shared_ptr<arrow::Table> TradesTable(std::int64_t rows, std::int64_t rows_per_batch,
                                          std::int64_t first = 0);

/// The batch with another column in the place of `name`.
std::shared_ptr<arrow::RecordBatch> With(const std::shared_ptr<arrow::RecordBatch>& batch,
                                         const std::string& name,
                                         const std::shared_ptr<arrow::Array>& column);

/// An array of a type from JSON, as in `FromJson(arrow::int64(), "[1, null]")`.
std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type,
                                       const std::string& json);

/// The whole dataset, by plain Flight, straight from the store; waits for a store that is starting.
/// A dataset that is not there has no rows.
std::shared_ptr<arrow::Table> ReadPlainly(const std::string& dataset);

/// The `size` column of the dataset: which rows are stored, in their order.
std::vector<std::int64_t> StoredSizes(const std::string& dataset);

/// `first`, `first` + 1, … : as many as `count`.
std::vector<std::int64_t> CountingFrom(std::int64_t first, std::int64_t count);

}  // namespace tickmesh::testing
