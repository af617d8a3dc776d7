#pragma once

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

namespace tickmesh::tool {

/// While it lives, Ctrl-C and SIGTERM do not end the program but call a function, once.
///
/// To be made before any other thread, which inherits that it does not take these signals.
class Interruption {
 public:
  Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  /// While it lives, a thread waits for a signal. Its end waits for a call under way: it is to go
  /// before what the call uses.
  class Listener {
   public:
    Listener(Interruption* interruption, std::function<void()> end);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();

   private:
    std::thread waiting_;
  };

  /// Call `end` from another thread when a signal comes.
  [[nodiscard]] Listener OnSignal(std::function<void()> end);

  /// The signal that came; 0 for none.
  int signal() const { return signal_; }

 private:
  sigset_t awaited_;
  sigset_t before_;
  std::atomic<int> signal_{0};
};

}  // namespace tickmesh::tool
