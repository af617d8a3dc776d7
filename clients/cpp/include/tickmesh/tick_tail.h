#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arrow/result.h"
#include "arrow/status.h"
#include "arrow/type_fwd.h"
#include "tickmesh/export.h"
#include "tickmesh/filter.h"

namespace tickmesh {

/// Where a tail without a position begins.
enum class TailBegin {
  /// At the first row that is kept.
  kFirst,
  /// Behind the newest row.
  kNewest,
};

/// What to follow.
struct TICKMESH_EXPORT TailOptions {
  std::string dataset = {};
  /// A position of an earlier tail: go on behind it.
  std::string after = {};
  /// Where to begin without `after`.
  TailBegin begin = TailBegin::kFirst;
  /// Only these symbols; all when empty.
  std::vector<std::string> symbols = {};
  /// Only these columns, in this order; all when empty.
  std::vector<std::string> columns = {};
  /// Only rows for which this is true.
  Filter where = {};
  /// The schema version to read under; the one in force when 0.
  int version = 0;
  /// How long nothing may come, not even the heartbeat of each second, before the connection counts
  /// as lost.
  std::chrono::milliseconds silence_limit = std::chrono::seconds(10);
  /// Told why a stream ended, before it is resumed where it ended. Called by the thread in `Next`.
  std::function<void(const arrow::Status&)> on_interruption = {};
};

/// Some rows of a tail.
struct TICKMESH_EXPORT TailBatch {
  std::shared_ptr<arrow::RecordBatch> batch = nullptr;
  /// The place behind the rows: a tail `after` it goes on there.
  std::string position = {};
  /// The dataset revision the rows bring the reader to.
  std::int64_t dataset_revision = 0;
};

/// A dataset as it grows: everything after a position, then rows as they are committed.
///
/// When the connection fails, the store goes down, or it ends a consumer that fell too far behind,
/// the tail goes on where it was: no row is missed, none comes twice. `Next` is for one thread;
/// `Close` may be called by another and ends it.
class TICKMESH_EXPORT TickTail {
 public:
  class Impl;

  explicit TickTail(std::unique_ptr<Impl> impl);
  TickTail(TickTail&&) noexcept;
  TickTail& operator=(TickTail&&) noexcept;
  /// Closes the tail.
  ~TickTail();

  /// Wait for the next rows.
  ///
  /// \param timeout how long to wait; for ever when unset.
  /// \return the rows; nothing once the timeout has passed without any.
  ///
  /// Fails with CANCELLED, reason CLOSED, once the tail is closed, and with what the store said
  /// where going on cannot help (an unknown dataset, an expired position, a forged token).
  arrow::Result<std::optional<TailBatch>> Next(
      std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// The place behind the last batch handed out.
  std::string position() const;

  /// How often the stream was interrupted and resumed.
  std::int64_t interruptions() const;

  /// End the tail. Safe to call twice, and from another thread.
  void Close();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tickmesh
