#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "arrow/result.h"
#include "registry/registry_connection.h"
#include "registry/watch_cursor.h"
#include "registry/watch_stream.h"

namespace tickmesh::internal {

/// Follows the change log across streams; see SchemaWatch. `Next` is for one thread.
///
/// gRPC never reopens a stream by itself, and one that fell silent may lie on a connection that is
/// dead without saying so, as would the next one: that connection is left behind as well.
class ResumingWatch {
 public:
  /// \param connection opens the streams.
  /// \param cursor where to start.
  /// \param on_interruption told of every end of a stream, before the wait; may be empty.
  ResumingWatch(std::shared_ptr<RegistryConnection> connection, WatchCursor cursor,
                std::function<void(const arrow::Status&)> on_interruption);

  /// The next message; nothing when none came by the deadline.
  arrow::Result<std::optional<WatchMessage>> Next(std::optional<Deadline> deadline);

  std::int64_t interruptions() const { return interruptions_.load(); }

  /// End the watch, from any thread: `Next` fails with CLOSED.
  void Close();

 private:
  bool Open(std::optional<Deadline> deadline);
  arrow::Result<std::optional<WatchMessage>> Listen(std::optional<Deadline> deadline);
  void Leave();
  void Interrupted(const arrow::Status& status);
  arrow::Status SilentError() const;

  const std::shared_ptr<RegistryConnection> connection_;
  const std::function<void(const arrow::Status&)> on_interruption_;
  std::shared_ptr<RegistryConnection::Stub> stub_;
  WatchCursor cursor_;
  /// How long `Next` has waited for the next response.
  Deadline::duration waited_{};
  Deadline reopen_at_ = Deadline::min();
  arrow::Status ended_;
  std::atomic<std::int64_t> interruptions_{0};

  std::mutex mutex_;  // guards what follows
  std::condition_variable closing_;
  bool closed_ = false;
  std::unique_ptr<WatchStream> stream_;
};

}  // namespace tickmesh::internal
