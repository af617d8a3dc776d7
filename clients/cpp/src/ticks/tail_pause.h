#pragma once

#include <algorithm>
#include <chrono>
#include <random>

#include "arrow/status.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

/// How a tail goes on after its stream has ended.
class TailPause {
 public:
  using Duration = std::chrono::duration<double>;

  static constexpr Duration kFirst{0.2};
  static constexpr Duration kLongest{30.0};
  static constexpr double kGrowth = 1.6;

  /// Whether going on can help: the peer was away, or the consumer too slow.
  static bool CanGoOn(const arrow::Status& ended) {
    const ErrorDetails* details = GetErrorDetails(ended);
    return details != nullptr &&
           (details->code == ErrorCode::kUnavailable || details->reason == "SLOW_CONSUMER");
  }

  /// How long to wait before a stream is opened again: not at all where the consumer was too slow,
  /// as long as the store asked for, else full jitter below a ceiling that grows.
  Duration After(const arrow::Status& ended) {
    if (ReasonOf(ended) == "SLOW_CONSUMER") return Duration(0);
    const Duration ceiling = ceiling_;
    ceiling_ = std::min(ceiling_ * kGrowth, kLongest);
    const ErrorDetails* details = GetErrorDetails(ended);
    if (details != nullptr && details->retry_after) return *details->retry_after;
    return ceiling * std::uniform_real_distribution<double>(0.0, 1.0)(random_);
  }

  /// Something came: the next interruption is a first one.
  void Reset() { ceiling_ = kFirst; }

 private:
  Duration ceiling_ = kFirst;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace tickmesh::internal
