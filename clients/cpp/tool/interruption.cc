#include "interruption.h"

#include <utility>

#include <pthread.h>

namespace tickmesh::tool {

namespace {

/// Ends the waiting thread; nobody else sends it.
constexpr int kEnough = SIGUSR1;

}  // namespace

Interruption::Interruption() {
  sigemptyset(&awaited_);
  for (const int number : {SIGINT, SIGTERM, kEnough}) sigaddset(&awaited_, number);
  pthread_sigmask(SIG_BLOCK, &awaited_, &before_);
}

Interruption::~Interruption() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Interruption::Listener Interruption::OnSignal(std::function<void()> end) {
  return Listener(this, std::move(end));
}

Interruption::Listener::Listener(Interruption* interruption, std::function<void()> end)
    : waiting_([interruption, end = std::move(end)] {
        int number = 0;
        sigwait(&interruption->awaited_, &number);
        if (number == kEnough) return;
        interruption->signal_ = number;
        end();
      }) {}

Interruption::Listener::~Listener() {
  pthread_kill(waiting_.native_handle(), kEnough);
  waiting_.join();
}

}  // namespace tickmesh::tool
