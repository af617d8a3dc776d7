#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tickmesh/export.h"
#include "tickmesh/filter.h"

namespace tickmesh {

/// The order of rows in an answer.
enum class ReadOrder {
  /// As they were committed.
  kArrival,
  /// By event time; rows of one instant as they were committed.
  kTime,
};

/// What to read of a dataset.
///
/// Rows are handed out where they were received, without a copy, so that values may lie at any
/// address. Arrow's functions take them so; code of your own that needs them aligned calls
/// `arrow::util::EnsureAlignment`.
struct TICKMESH_EXPORT ReadOptions {
  std::string dataset = {};
  /// Event times from here on, nanoseconds since the epoch.
  std::optional<std::int64_t> start_ns = std::nullopt;
  /// Event times before here, nanoseconds since the epoch.
  std::optional<std::int64_t> end_ns = std::nullopt;
  /// Only these symbols; all when empty.
  std::vector<std::string> symbols = {};
  /// Only these columns, in this order; all when empty.
  std::vector<std::string> columns = {};
  /// Only rows for which this is true, as in `Col("price") > 100`.
  Filter where = {};
  /// At most so many rows, the first in `order`; no limit when 0.
  std::int64_t limit = 0;
  ReadOrder order = ReadOrder::kArrival;
  /// The dataset revision to read; the newest when 0.
  std::int64_t as_of_revision = 0;
  /// The named snapshot to read; not together with `as_of_revision`.
  std::string snapshot = {};
  /// The schema version to read under; the one in force when 0.
  int version = 0;
  /// Only rows of this generation, under its newest version; of all generations when 0.
  int generation = 0;
  /// Adds `_schema_version`, `_ingest_time`, `_dataset_revision`, `_producer_id` and `_sequence`.
  bool stamps = false;
  /// How many endpoints of a read are fetched side by side, each over a connection of its own; 1 to
  /// 16.
  int parallelism = 4;
  /// How long the store may take to plan the read, and from then on send nothing while rows are
  /// waited for.
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
};

}  // namespace tickmesh
