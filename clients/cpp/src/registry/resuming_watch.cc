#include "registry/resuming_watch.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "tickmesh/status.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

ResumingWatch::ResumingWatch(std::shared_ptr<RegistryConnection> connection, WatchCursor cursor,
                             std::function<void(const arrow::Status&)> on_interruption)
    : connection_(std::move(connection)),
      on_interruption_(std::move(on_interruption)),
      stub_(connection_->stub()),
      cursor_(std::move(cursor)) {}

arrow::Result<std::optional<WatchMessage>> ResumingWatch::Next(std::optional<Deadline> deadline) {
  while (true) {
    ARROW_RETURN_NOT_OK(ended_);
    if (!Open(deadline)) return std::nullopt;
    if (!ended_.ok()) continue;
    auto heard = Listen(deadline);
    if (!heard.ok()) {
      Leave();
      Interrupted(heard.status());
      continue;
    }
    // A stream that goes on without a message was cut short by the deadline.
    if (heard->has_value() || (deadline && std::chrono::steady_clock::now() >= *deadline)) {
      return heard;
    }
  }
}

void ResumingWatch::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (stream_ != nullptr) stream_->Cancel();
  closing_.notify_all();
}

/// See that there is a stream, once the wait before it is over; false if the deadline comes first.
bool ResumingWatch::Open(std::optional<Deadline> deadline) {
  std::unique_lock lock(mutex_);
  if (stream_ == nullptr) {
    const auto until = deadline ? std::min(*deadline, reopen_at_) : reopen_at_;
    if (until > std::chrono::steady_clock::now()) {
      closing_.wait_until(lock, until, [this] { return closed_; });
    }
  }
  if (closed_) {
    auto stream = std::move(stream_);
    lock.unlock();
    ended_ = ClosedError();
    return true;
  }
  if (stream_ != nullptr) return true;
  if (std::chrono::steady_clock::now() < reopen_at_) return false;
  waited_ = {};
  stream_ = std::make_unique<WatchStream>(stub_, cursor_.NextRequest());
  return true;
}

/// Wait for a response of the stream and take it up. Nothing where it completes no message, or none
/// came by the deadline; fails where the stream has to be left.
arrow::Result<std::optional<WatchMessage>> ResumingWatch::Listen(std::optional<Deadline> deadline) {
  const auto limit = cursor_.SilenceLimit();
  const auto from = std::chrono::steady_clock::now();
  const Deadline silent_at = from + (limit - waited_);
  const auto outcome = stream_->Next(deadline ? std::min(*deadline, silent_at) : silent_at);
  // Only time spent waiting is silence of the stream: its reader may be busy elsewhere.
  waited_ += std::chrono::steady_clock::now() - from;
  switch (outcome) {
    case WatchStream::Outcome::kTimeout:
      if (waited_ < limit) return std::nullopt;
      stub_ = connection_->NewStub();
      return SilentError();
    case WatchStream::Outcome::kResponse:
      waited_ = {};
      return cursor_.Accept(stream_->response());
    case WatchStream::Outcome::kEnded:
      break;
  }
  arrow::Status status = FromGrpc(stream_->status(), connection_->options().registry);
  if (!status.ok()) return status;
  return MakeError(
      "the registry closed the watch",
      {.code = ErrorCode::kUnavailable, .reason = "WATCH_CLOSED", .domain = "tickmesh"});
}

void ResumingWatch::Leave() {
  std::unique_ptr<WatchStream> stream;
  const std::lock_guard lock(mutex_);
  stream = std::move(stream_);
}

void ResumingWatch::Interrupted(const arrow::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      ended_ = ClosedError();
      return;
    }
  }
  ++interruptions_;
  if (on_interruption_) on_interruption_(status);
  const auto delay = cursor_.DelayAfter(status);
  if (!delay.ok()) {
    ended_ = delay.status();
    return;
  }
  reopen_at_ = std::chrono::steady_clock::now() + *delay;
}

arrow::Status ResumingWatch::SilentError() const {
  return MakeError(
      "the watch was silent for " + std::to_string(cursor_.SilenceLimit().count()) +
          " ms; it goes on on a new connection",
      {.code = ErrorCode::kUnavailable, .reason = "WATCH_SILENT", .domain = "tickmesh"});
}

}  // namespace tickmesh::internal
