#include "ticks/put_retry.h"

#include <algorithm>
#include <cmath>

#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

constexpr double kFirstPauseSeconds = 0.2;
constexpr double kPauseGrowth = 1.6;
constexpr double kLongestPauseSeconds = 30.0;

}  // namespace

std::optional<PutRetry::Clock::duration> PutRetry::PauseAfter(const arrow::Status& failure,
                                                              Clock::time_point now, double draw) {
  const ErrorDetails* details = GetErrorDetails(failure);
  if (details == nullptr || !details->retryable()) return std::nullopt;
  if (attempt_ == 0) give_up_at_ = now + retry_time_;
  if (now >= give_up_at_) return std::nullopt;
  const double longest =
      std::min(kFirstPauseSeconds * std::pow(kPauseGrowth, attempt_), kLongestPauseSeconds);
  ++attempt_;
  if (details->retry_after) return *details->retry_after;
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(longest * draw));
}

}  // namespace tickmesh::internal
