#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "tickmesh/connection_options.h"
#include "tickmesh/export.h"
#include "tickmesh/tick_read.h"
#include "tickmesh/tick_tail.h"
#include "tickmesh/tick_writer.h"

namespace tickmesh {

/// How one upload is made.
struct TICKMESH_EXPORT PutOptions {
  /// The schema version the rows were made for; the one in force when 0.
  int version = 0;
  /// The deadline of the whole upload; as long as the store answers when unset.
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
};

/// A client of the tick store; may be shared by threads.
///
/// Ranges are half-open: a start belongs to them, an end does not. What it opens (writers, readers,
/// tails) holds the connection itself and may outlive the client.
class TICKMESH_EXPORT TickClient {
 public:
  class Impl;

  /// Make a client; connects on first use.
  ///
  /// Fails with INVALID_ARGUMENT, reason CONFIG, when the options are wrong.
  static arrow::Result<std::unique_ptr<TickClient>> Connect(const ConnectionOptions& options = {});

  explicit TickClient(std::unique_ptr<Impl> impl);
  TickClient(const TickClient&) = delete;
  TickClient& operator=(const TickClient&) = delete;
  ~TickClient();

  /// Store all rows or none: they are visible together, durable, when this returns.
  ///
  /// \param subject the registry subject; the dataset of its name is created by the first put.
  /// \param data read to its end.
  ///
  /// Fails with INVALID_ARGUMENT where rows or columns are not valid (the violations say which and
  /// why), NOT_FOUND where the registry knows no such subject or version, UNAVAILABLE where the
  /// store is away: nothing is stored then, unless the connection was lost while the end of the
  /// upload was under way; a writer retries without that doubt.
  arrow::Result<PutReceipt> Put(const std::string& subject, arrow::RecordBatchReader* data,
                                const PutOptions& options = {});
  arrow::Result<PutReceipt> Put(const std::string& subject, const arrow::Table& table,
                                const PutOptions& options = {});

  /// Open a writer that joins small puts and sends each message until it is stored once.
  arrow::Result<std::unique_ptr<TickWriter>> OpenWriter(const WriterOptions& options);

  /// Open a new epoch of a producer: older ones are fenced, sequences go on.
  arrow::Result<Producer> OpenProducer(const std::string& dataset, const std::string& producer_id);

  /// Read one snapshot into a table; its parts come side by side, over several connections.
  ///
  /// Fails with NOT_FOUND (no such dataset, version or snapshot), INVALID_ARGUMENT (a column or
  /// instant does not fit), OUT_OF_RANGE (the revision is not there yet, or no longer) or
  /// FAILED_PRECONDITION (rows cannot be had under that version; it says why).
  arrow::Result<std::shared_ptr<arrow::Table>> Read(const ReadOptions& options);

  /// Read one snapshot batch by batch, in order and in bounded memory. Fails as `Read` does.
  arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> Stream(const ReadOptions& options);

  /// Follow a dataset: everything after a position, then rows as they are committed.
  arrow::Result<std::unique_ptr<TickTail>> Tail(const TailOptions& options);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tickmesh
