#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "arrow/status.h"
#include "tickmesh/schema_registry_client.h"

namespace tickmesh::internal {

/// How far the change log was followed, and whether it is now; for those who wait and those who
/// ask.
class FollowProgress {
 public:
  /// \param now_ns since when nothing is followed: the client's beginning.
  explicit FollowProgress(std::int64_t now_ns) : stale_since_ns_(now_ns) {}

  /// Following began after `revision`, which may lie below an earlier one if the store was
  /// restored.
  void Restarted(std::int64_t revision, bool gap);

  /// Everything up to `revision` is in the cache.
  void Followed(std::int64_t revision);

  /// The change log is not being followed since `now_ns`, or longer.
  void Interrupted(std::int64_t now_ns);

  /// Let everybody who waits go.
  void Close();

  /// See SchemaRegistryClient::WaitForRevision.
  arrow::Status WaitFor(std::int64_t revision, std::chrono::milliseconds timeout);

  /// Revision, staleness and reloads.
  void Tell(CacheStatistics* statistics) const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable moved_;
  bool closed_ = false;
  std::int64_t revision_ = 0;
  std::int64_t reloads_ = 0;
  std::optional<std::int64_t> stale_since_ns_;
};

}  // namespace tickmesh::internal
