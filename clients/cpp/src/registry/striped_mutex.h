#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace tickmesh::internal {

/// A shared mutex for data that is read by many threads all the time and rarely written.
///
/// Each thread reads under a mutex of its own (as long as there are no more threads than stripes),
/// so that readers share no cache line with each other; a writer takes all of them, in order.
class StripedMutex {
 public:
  static constexpr std::size_t kStripes = 16;

  /// The stripe of the calling thread, the same for its life.
  static std::size_t ThreadStripe() {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t stripe = next.fetch_add(1, std::memory_order_relaxed) % kStripes;
    return stripe;
  }

  std::mutex& stripe(std::size_t number) { return stripes_[number].mutex; }

  void lock() {
    for (Stripe& stripe : stripes_) stripe.mutex.lock();
  }
  void unlock() {
    for (Stripe& stripe : stripes_) stripe.mutex.unlock();
  }

 private:
  // Two lines: processors fetch them in pairs.
  struct alignas(128) Stripe {
    std::mutex mutex;
  };
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace tickmesh::internal
