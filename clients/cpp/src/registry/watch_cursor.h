#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "arrow/result.h"
#include "arrow/status.h"
#include "registry/messages.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh::internal {

inline constexpr std::chrono::milliseconds kFirstDelay{200};
inline constexpr double kDelayGrowth = 1.6;
inline constexpr std::chrono::milliseconds kLongestDelay{10'000};
inline constexpr int kSilenceIntervals = 3;

/// Where a watch stands: builds the next request, checks each response, spaces retries.
class WatchCursor {
 public:
  /// \param request names the start.
  /// \param read reads schema versions.
  /// \param seed of the jitter.
  WatchCursor(wire::WatchRequest request, SchemaReader read,
              std::uint64_t seed = std::random_device{}());

  /// The request that opens the stream where the last one ended.
  wire::WatchRequest NextRequest();

  /// Check a response and hand over what it completes; nothing while parts are missing.
  ///
  /// Fails with UNAVAILABLE, reason WATCH_GAP, when a response is missing before this one: the
  /// watch reopens after the last complete revision.
  arrow::Result<std::optional<WatchMessage>> Accept(const wire::WatchResponse& response);

  /// How long to wait before reopening: full jitter, or what the server asked for.
  ///
  /// \param status why the stream ended.
  ///
  /// Fails with `status` itself when resuming cannot help.
  arrow::Result<std::chrono::milliseconds> DelayAfter(const arrow::Status& status);

  /// How long a stream may say nothing before it counts as half-open.
  std::chrono::milliseconds SilenceLimit() const;

 private:
  wire::WatchRequest request_;
  SchemaReader read_;
  std::mt19937_64 random_;
  std::string token_;
  /// Everything up to here was delivered.
  std::int64_t revision_ = 0;
  /// Of the last response on this stream.
  std::int64_t on_stream_ = 0;
  std::vector<ChangeEvent> parts_;
  int failures_ = 0;
};

}  // namespace tickmesh::internal
