#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tickmesh/schema_change.h"
#include "tickmesh/schema_registry_client.h"

namespace tickmesh {

/// One listener: whoever ends it knows that its callback does not run any more.
class Subscription::Impl {
 public:
  Impl(ChangeFilter filter, std::function<void(const SchemaChange&)> callback);

  /// Call it, if the change is asked for and the subscription has not ended.
  void Deliver(const SchemaChange& change);

  void Cancel();

  bool cancelled() const;

 private:
  const ChangeFilter filter_;
  mutable std::mutex mutex_;  // guards what follows; never held during the callback
  std::condition_variable idle_;
  std::function<void(const SchemaChange&)> callback_;
  bool cancelled_ = false;
  /// The thread in the callback; none's id when there is none.
  std::thread::id running_;
};

namespace internal {

/// Those who are told of changes.
class ChangeListeners {
 public:
  std::shared_ptr<Subscription::Impl> Add(ChangeFilter filter,
                                          std::function<void(const SchemaChange&)> callback);

  /// Tell everybody, in the order they came.
  void Deliver(const SchemaChange& change);

  /// From now on no callback begins.
  void Close() { closed_ = true; }

 private:
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<Subscription::Impl>> listeners_;
};

}  // namespace internal
}  // namespace tickmesh
