#pragma once

#include <cstdint>

namespace tickmesh::internal {

/// How many batches the store may send ahead of the consumer.
class TailCredits {
 public:
  /// Granted when a stream begins.
  static constexpr std::int64_t kWindow = 64;

  /// The consumer has come back for more after one batch.
  ///
  /// \return how many to grant now: none until half of the window is used up.
  std::int64_t Handled() {
    if (--left_ > kWindow / 2) return 0;
    const std::int64_t granted = kWindow - left_;
    left_ = kWindow;
    return granted;
  }

 private:
  std::int64_t left_ = kWindow;
};

}  // namespace tickmesh::internal
