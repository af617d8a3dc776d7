#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "arrow/result.h"
#include "arrow/status.h"
#include "arrow/type_fwd.h"
#include "tickmesh/export.h"

namespace tickmesh {

/// How far a batch must have come before it is acknowledged.
enum class AcknowledgementLevel {
  /// Judged, deduplicated and handed to the log; a crash may still lose it.
  kReceived,
  /// Synchronised to disk: neither kill -9 nor power loss loses it.
  kDurable,
};

/// How a writer works.
struct TICKMESH_EXPORT WriterOptions {
  /// The registry subject; its dataset is created when it is not there.
  std::string dataset = {};
  /// A stable id, so that a restarted producer goes on after its last sequence and its predecessor
  /// is fenced; a fresh one when empty.
  std::string producer_id = {};
  /// The schema version the rows are made for; the one in force when 0.
  int version = 0;
  AcknowledgementLevel acknowledgement = AcknowledgementLevel::kDurable;
  /// The principal the caller writes for; itself when empty.
  std::string on_behalf_of = {};
  /// How long an unreachable store is tried again before the writer fails.
  std::chrono::milliseconds retry_time = std::chrono::seconds(60);
  /// Bytes handed in and not yet acknowledged; beyond them `Put` blocks.
  std::int64_t max_waiting_bytes = 64 * 1024 * 1024;
};

/// A producer as the store answered it.
struct TICKMESH_EXPORT Producer {
  std::string producer_id = {};
  /// The epoch opened; older ones are fenced.
  std::int64_t epoch = 0;
  /// The last sequence stored; the next message is the one after it.
  std::int64_t last_sequence = 0;
};

/// What the store acknowledged.
struct TICKMESH_EXPORT PutReceipt {
  /// Rows stored.
  std::int64_t rows = 0;
  /// Messages acknowledged, duplicates among them.
  std::int64_t batches = 0;
  /// Messages that were stored before, by an earlier try.
  std::int64_t duplicates = 0;
  /// The dataset revision that holds the last of them.
  std::int64_t dataset_revision = 0;
};

/// Sends rows of one dataset in order, exactly once, and says what has arrived.
///
/// A background thread joins what waits into messages, numbers them, and sends a message again,
/// under the same sequence, when the connection fails; the store answers a repeat as a duplicate.
/// For one or more threads; rows of one `Put` stay together and in order.
class TICKMESH_EXPORT TickWriter {
 public:
  class Impl;

  explicit TickWriter(std::unique_ptr<Impl> impl);
  TickWriter(TickWriter&&) noexcept;
  TickWriter& operator=(TickWriter&&) noexcept;
  /// Gives up what is not acknowledged; `Close` first to be sure of it. However silent the store
  /// is, this waits no longer than 5 s, the time a new connection may take.
  ~TickWriter();

  /// Hand in rows; blocks while `max_waiting_bytes` wait.
  ///
  /// All batches of a writer have one schema: others are refused with WRONG_COLUMNS, and a row or
  /// dictionary over 16 MiB with MESSAGE_TOO_LARGE. Fails with what the store said once it has
  /// refused a message: nothing after that is taken.
  arrow::Status Put(std::shared_ptr<arrow::RecordBatch> batch);
  arrow::Status Put(const arrow::Table& table);

  /// Wait until everything handed in is acknowledged.
  ///
  /// \param timeout how long; for as long as the writer tries when unset.
  /// Fails with DEADLINE_EXCEEDED: rows are still under way and may yet be stored.
  arrow::Result<PutReceipt> Flush(std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// Flush and end. Safe to call twice.
  arrow::Result<PutReceipt> Close(std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// End without waiting: what is not acknowledged may or may not be stored.
  void Abandon();

  /// Rows handed in and not acknowledged.
  std::int64_t lag_rows() const;
  /// How long the oldest of them has waited.
  std::chrono::nanoseconds lag() const;
  /// What is acknowledged so far.
  PutReceipt receipt() const;
  const Producer& producer() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tickmesh
