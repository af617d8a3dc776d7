#include "registry/watch_cursor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "google/protobuf/util/time_util.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

/// Whether asking again for the same start would be answered the same way.
bool IsFinal(const arrow::Status& status) {
  const ErrorDetails* details = GetErrorDetails(status);
  if (details == nullptr) return false;
  switch (details->code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnauthenticated:
      return true;
    default:
      return details->reason == "EPOCH_CHANGED" || details->reason == "CLOSED";
  }
}

WatchMessageKind KindOf(wire::WatchResponse::Kind kind) {
  switch (kind) {
    case wire::WatchResponse::KIND_EVENTS:
      return WatchMessageKind::kEvents;
    case wire::WatchResponse::KIND_SNAPSHOT_END:
      return WatchMessageKind::kSnapshot;
    default:
      return WatchMessageKind::kProgress;
  }
}

}  // namespace

WatchCursor::WatchCursor(wire::WatchRequest request, SchemaReader read, std::uint64_t seed)
    : request_(std::move(request)), read_(std::move(read)), random_(seed) {}

wire::WatchRequest WatchCursor::NextRequest() {
  parts_.clear();
  on_stream_ = 0;
  wire::WatchRequest request = request_;
  if (!token_.empty()) request.set_after_token(token_);
  return request;
}

arrow::Result<std::optional<WatchMessage>> WatchCursor::Accept(
    const wire::WatchResponse& response) {
  if (response.prev_revision() != on_stream_) {
    return MakeError(
        "expected the response after revision " + std::to_string(on_stream_) + ", was after " +
            std::to_string(response.prev_revision()),
        {.code = ErrorCode::kUnavailable, .reason = "WATCH_GAP", .domain = "tickmesh"});
  }
  on_stream_ = response.revision();
  failures_ = 0;
  const auto kind = response.kind();
  if (kind == wire::WatchResponse::KIND_DRAINING) return std::nullopt;
  const bool repeated =
      kind == wire::WatchResponse::KIND_EVENTS && response.revision() <= revision_;
  if (!repeated) {
    for (const auto& message : response.events()) {
      ARROW_ASSIGN_OR_RAISE(auto event, EventFromWire(message, read_));
      parts_.push_back(std::move(event));
    }
  }
  if (kind == wire::WatchResponse::KIND_SNAPSHOT_PART || response.fragment()) return std::nullopt;
  if (repeated) return std::nullopt;
  token_ = response.token();
  revision_ = std::max(revision_, response.revision());
  return WatchMessage{.kind = KindOf(kind),
                      .revision = response.revision(),
                      .token = response.token(),
                      .events = std::exchange(parts_, {})};
}

arrow::Result<std::chrono::milliseconds> WatchCursor::DelayAfter(const arrow::Status& status) {
  if (IsFinal(status)) return status;
  const double ceiling =
      std::min(static_cast<double>(kLongestDelay.count()),
               static_cast<double>(kFirstDelay.count()) * std::pow(kDelayGrowth, failures_));
  ++failures_;
  if (const ErrorDetails* details = GetErrorDetails(status);
      details != nullptr && details->retry_after) {
    return std::clamp(*details->retry_after, std::chrono::milliseconds(0), kLongestDelay);
  }
  std::uniform_real_distribution<double> jitter(0.0, ceiling);
  return std::chrono::milliseconds(static_cast<std::int64_t>(jitter(random_)));
}

std::chrono::milliseconds WatchCursor::SilenceLimit() const {
  const auto asked =
      google::protobuf::util::TimeUtil::DurationToMilliseconds(request_.progress_interval());
  return kSilenceIntervals * std::chrono::milliseconds(asked > 0 ? asked : 10'000);
}

}  // namespace tickmesh::internal
