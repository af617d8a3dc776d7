#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "tickmesh/schema_change.h"

namespace tickmesh::testing {

/// How long something that must happen may take on a busy machine.
inline constexpr std::chrono::seconds kPatience{30};

/// Keeps the changes that a subscription tells of.
class ChangesHeard {
 public:
  std::function<void(const SchemaChange&)> callback() {
    return [this](const SchemaChange& change) {
      const std::lock_guard lock(mutex_);
      changes_.push_back(change);
      heard_.notify_all();
    };
  }

  /// The changes heard, once there are so many or patience is over.
  std::vector<SchemaChange> WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    heard_.wait_for(lock, kPatience, [&] { return changes_.size() >= count; });
    return changes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable heard_;
  std::vector<SchemaChange> changes_;
};

}  // namespace tickmesh::testing
