#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arrow/table.h"

/// \file
/// Trades in a tick store, put by a Flight client that knows nothing of the library under test.

namespace tickmesh::testing {

/// A schema of trades whose symbols are `Symbols()`, so that they come as a dictionary column, with
/// an optional text `note`.
std::string ListedTradesSchema();

/// AAPL, IBM, MSFT.
const std::vector<std::string>& Symbols();

/// Valid trades: `size` counts on from `first`, `ts` is a thousand times that in nanoseconds,
/// symbols take turns, and every second note is null.
std::shared_ptr<arrow::Table> NotedTrades(std::int64_t rows, std::int64_t first = 0);

/// Put a table, straight to the servers of the driver; returns once it is durable.
void PutPlainly(const std::string& subject, const arrow::Table& table);

/// A freshly registered subject, with so many trades in it.
std::string StoredTrades(std::int64_t rows);

/// A column of integers without nulls.
std::vector<std::int64_t> Integers(const arrow::Table& table, const std::string& column);

/// `first`, `first` + 1, … below `end`.
std::vector<std::int64_t> Counted(std::int64_t first, std::int64_t end);

/// The table with one chunk a column, dictionaries as their values, and no metadata.
std::shared_ptr<arrow::Table> Decoded(const arrow::Table& table);

}  // namespace tickmesh::testing
