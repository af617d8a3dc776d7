#include "registry/follow_progress.h"

#include <algorithm>
#include <string>

#include "registry/registry_connection.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

void FollowProgress::Restarted(std::int64_t revision, bool gap) {
  const std::lock_guard lock(mutex_);
  revision_ = revision;
  if (gap) ++reloads_;
  stale_since_ns_.reset();
  moved_.notify_all();
}

void FollowProgress::Followed(std::int64_t revision) {
  const std::lock_guard lock(mutex_);
  revision_ = std::max(revision_, revision);
  stale_since_ns_.reset();
  moved_.notify_all();
}

void FollowProgress::Interrupted(std::int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  if (!stale_since_ns_) stale_since_ns_ = now_ns;
}

void FollowProgress::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  moved_.notify_all();
}

arrow::Status FollowProgress::WaitFor(std::int64_t revision, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto there = [&] { return revision_ >= revision && (revision > 0 || !stale_since_ns_); };
  moved_.wait_until(lock, DeadlineAfter(timeout), [&] { return closed_ || there(); });
  if (there()) return arrow::Status::OK();
  if (closed_) return ClosedError();
  return MakeError(
      "expected the watch at revision " + std::to_string(revision) + " within " +
          std::to_string(timeout.count()) + " ms, it is at " + std::to_string(revision_),
      {.code = ErrorCode::kDeadlineExceeded, .reason = "DEADLINE_EXCEEDED", .domain = "tickmesh"});
}

void FollowProgress::Tell(CacheStatistics* statistics) const {
  const std::lock_guard lock(mutex_);
  statistics->revision = revision_;
  statistics->reloads = reloads_;
  statistics->stale_since_ns = stale_since_ns_;
}

}  // namespace tickmesh::internal
