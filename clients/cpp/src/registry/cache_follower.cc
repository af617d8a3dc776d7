#include "registry/cache_follower.h"

#include <chrono>
#include <string>
#include <utility>

#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

constexpr auto kPauseAfterLoss = std::chrono::seconds(1);

bool IsNotFound(const arrow::Status& status) {
  const ErrorDetails* details = GetErrorDetails(status);
  return details != nullptr && details->code == ErrorCode::kNotFound;
}

}  // namespace

CacheFollower::CacheFollower(std::shared_ptr<RegistryConnection> connection, VersionReader* reader,
                             SchemaCache* cache, FollowProgress* progress,
                             ChangeListeners* listeners, const SchemaCacheOptions& options,
                             std::function<std::int64_t()> now_ns)
    : connection_(std::move(connection)),
      reader_(reader),
      cache_(cache),
      progress_(progress),
      listeners_(listeners),
      progress_interval_(options.progress_interval),
      now_ns_(std::move(now_ns)) {}

void CacheFollower::Run() {
  while (true) {
    const arrow::Status status = Follow();
    progress_->Interrupted(now_ns_());
    std::unique_lock lock(mutex_);
    // A log that was compacted or replaced is read anew at once; what else ends a watch for good
    // (a permission, a certificate) has to be mended by somebody.
    const std::string_view reason = ReasonOf(status);
    const bool lost = reason == "REVISION_COMPACTED" || reason == "EPOCH_CHANGED";
    if (!lost) closing_.wait_for(lock, kPauseAfterLoss, [this] { return closed_; });
    if (closed_) return;
  }
}

void CacheFollower::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (watch_ != nullptr) watch_->Close();
  closing_.notify_all();
}

/// Follow from now on, until the log can no longer be followed without a gap.
arrow::Status CacheFollower::Follow() {
  const std::shared_ptr<ResumingWatch> watch = Open();
  if (watch == nullptr) return ClosedError();
  // The first word of a watch from now on says where it stands, before anything it may have missed.
  ARROW_ASSIGN_OR_RAISE(auto first, watch->Next(std::nullopt));
  ARROW_RETURN_NOT_OK(Begin(first->revision));
  for (auto message = std::move(first);;) {
    Take(*message);
    ARROW_ASSIGN_OR_RAISE(message, watch->Next(std::nullopt));
  }
}

/// Make true what is held as of before `revision`.
arrow::Status CacheFollower::Begin(std::int64_t revision) {
  const bool gap = std::exchange(begun_, true);
  for (const std::string& subject : cache_->Restart(revision, gap)) {
    const auto loaded = reader_->Load(subject, connection_->NewDeadline());
    if (loaded.ok()) continue;
    if (!IsNotFound(loaded.status())) return loaded.status();
    cache_->Drop(subject);
  }
  progress_->Restarted(revision, gap);
  return arrow::Status::OK();
}

void CacheFollower::Take(const WatchMessage& message) {
  for (const ChangeEvent& event : message.events) cache_->Apply(event);
  cache_->Followed(message.revision);
  progress_->Followed(message.revision);
  for (const ChangeEvent& event : message.events) {
    if (const auto change = ChangeFromEvent(event)) listeners_->Deliver(*change);
  }
}

std::shared_ptr<ResumingWatch> CacheFollower::Open() {
  const wire::WatchRequest request =
      WatchRequestOf({.include_previous = true, .progress_interval = progress_interval_});
  WatchCursor cursor(request, [this](const wire::SchemaVersion& message) {
    return reader_->Read(message, connection_->NewDeadline());
  });
  auto watch = std::make_shared<ResumingWatch>(
      connection_, std::move(cursor),
      [this](const arrow::Status& /*why*/) { progress_->Interrupted(now_ns_()); });
  const std::lock_guard lock(mutex_);
  if (closed_) return nullptr;
  watch_ = watch;
  return watch;
}

}  // namespace tickmesh::internal
