#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "arrow/status.h"
#include "registry/change_listeners.h"
#include "registry/follow_progress.h"
#include "registry/registry_connection.h"
#include "registry/resuming_watch.h"
#include "registry/schema_cache.h"
#include "registry/version_reader.h"

namespace tickmesh::internal {

/// Applies the change log to the cache and tells listeners of it: the body of the watch's thread.
class CacheFollower {
 public:
  CacheFollower(std::shared_ptr<RegistryConnection> connection, VersionReader* reader,
                SchemaCache* cache, FollowProgress* progress, ChangeListeners* listeners,
                const SchemaCacheOptions& options, std::function<std::int64_t()> now_ns);

  /// Follow until `Close`.
  void Run();

  /// From any thread, also from a callback of a listener.
  void Close();

 private:
  arrow::Status Follow();
  arrow::Status Begin(std::int64_t revision);
  void Take(const WatchMessage& message);
  /// The watch of this session, or nothing once it is closed.
  std::shared_ptr<ResumingWatch> Open();

  const std::shared_ptr<RegistryConnection> connection_;
  VersionReader* const reader_;
  SchemaCache* const cache_;
  FollowProgress* const progress_;
  ChangeListeners* const listeners_;
  const std::chrono::milliseconds progress_interval_;
  const std::function<std::int64_t()> now_ns_;
  /// Whether the log was followed before: whatever begins after that begins behind a gap.
  bool begun_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable closing_;
  bool closed_ = false;
  std::shared_ptr<ResumingWatch> watch_;
};

}  // namespace tickmesh::internal
