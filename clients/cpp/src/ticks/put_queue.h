#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "arrow/result.h"
#include "arrow/type_fwd.h"

namespace tickmesh::internal {

/// Rows as they were handed in.
struct PutPart {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::int64_t bytes = 0;
  std::chrono::steady_clock::time_point since = {};
};

/// One numbered message. Its rows never change: the store takes a sequence once.
struct PutMessage {
  std::int64_t sequence = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  /// When its oldest rows were handed in.
  std::chrono::steady_clock::time_point since = {};
  /// What it is made of, until it is joined.
  std::vector<PutPart> parts;
};

/// What a writer holds: rows that wait to be joined, and messages that wait for acknowledgement.
///
/// Decides what is sent next and what an acknowledgement frees; knows neither threads nor sockets.
class PutQueue {
 public:
  /// \param last_sequence of the producer; messages are numbered from the one after it.
  /// \param max_bytes held at once, unless one part alone is larger.
  PutQueue(std::int64_t last_sequence, std::int64_t max_bytes);

  /// Whether a part of so many bytes may be added now.
  bool HasRoomFor(std::int64_t bytes) const;

  void Add(PutPart part);

  /// Whether there is something to send on the present stream.
  bool HasUnsent() const;

  /// The next message to send on the present stream: one that an earlier stream left
  /// unacknowledged, else what waits, joined up to the bounds of a message. Null without any.
  std::shared_ptr<PutMessage> TakeNext();

  /// Reduce the newest message to its first part; the others wait again. Only before it was sent.
  void KeepFirstPart(const std::shared_ptr<PutMessage>& message);

  /// A new stream begins: whatever is unacknowledged is sent again, in order.
  void SendAgain();

  /// Everything through `sequence` is stored.
  ///
  /// \return whether that was news.
  bool Acknowledge(std::int64_t sequence);

  /// Whether messages were taken and not acknowledged.
  bool HasUnacknowledged() const { return !unacknowledged_.empty(); }

  std::int64_t held_rows() const { return rows_added_ - rows_acknowledged_; }
  std::int64_t held_bytes() const { return held_bytes_; }
  /// Rows ever added and ever acknowledged.
  std::int64_t rows_added() const { return rows_added_; }
  std::int64_t rows_acknowledged() const { return rows_acknowledged_; }
  /// Messages ever acknowledged.
  std::int64_t messages_acknowledged() const { return acknowledged_sequence_ - first_sequence_; }

  /// When the oldest rows held were handed in; `now` without any.
  std::chrono::steady_clock::time_point OldestSince(
      std::chrono::steady_clock::time_point now) const;

 private:
  const std::int64_t first_sequence_;
  const std::int64_t max_bytes_;
  std::deque<PutPart> waiting_;
  std::deque<std::shared_ptr<PutMessage>> unacknowledged_;  // of dense sequences
  std::int64_t last_sequence_;                              // of the newest message
  std::int64_t next_sequence_;                              // to be sent on the present stream
  std::int64_t acknowledged_sequence_;
  std::int64_t held_bytes_ = 0;
  std::int64_t rows_added_ = 0;
  std::int64_t rows_acknowledged_ = 0;
};

/// The rows of a message as one batch: its parts as they are where there is one, else a copy.
///
/// Dictionaries that differ are unified. Fails where that cannot be done.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> Joined(const std::vector<PutPart>& parts);

}  // namespace tickmesh::internal
