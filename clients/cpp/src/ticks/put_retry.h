#pragma once

#include <chrono>
#include <optional>

#include "arrow/status.h"

namespace tickmesh::internal {

/// Whether, and after what pause, a writer tries again: full jitter, growing from try to try, until
/// nothing has been acknowledged for as long as retries may take.
class PutRetry {
 public:
  using Clock = std::chrono::steady_clock;

  explicit PutRetry(std::chrono::milliseconds retry_time) : retry_time_(retry_time) {}

  /// Something was acknowledged: the next failure is a first one.
  void Progress() { attempt_ = 0; }

  /// \param failure why the last try ended.
  /// \param now when.
  /// \param draw from [0, 1): where in its range the pause lies.
  /// \return the pause; nothing where another try would not help or comes too late.
  std::optional<Clock::duration> PauseAfter(const arrow::Status& failure, Clock::time_point now,
                                            double draw);

 private:
  const std::chrono::milliseconds retry_time_;
  int attempt_ = 0;
  Clock::time_point give_up_at_ = {};
};

}  // namespace tickmesh::internal
