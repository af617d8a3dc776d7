#include "registry/change_listeners.h"

#include <algorithm>
#include <utility>

namespace tickmesh {

bool ChangeFilter::Matches(const SchemaChange& change) const {
  const auto asks = [](const auto& wanted, const auto& value) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
  };
  return asks(subjects, change.subject) && change.subject.starts_with(subject_prefix) &&
         asks(actions, change.action);
}

Subscription::Impl::Impl(ChangeFilter filter, std::function<void(const SchemaChange&)> callback)
    : filter_(std::move(filter)), callback_(std::move(callback)) {}

void Subscription::Impl::Deliver(const SchemaChange& change) {
  if (!filter_.Matches(change)) return;
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return;
    running_ = std::this_thread::get_id();
  }
  callback_(change);
  std::function<void(const SchemaChange&)> ended;
  const std::lock_guard lock(mutex_);
  running_ = {};
  if (cancelled_) ended = std::exchange(callback_, {});
  idle_.notify_all();
}

void Subscription::Impl::Cancel() {
  // What the callback holds goes after the lock: it may well use the client.
  std::function<void(const SchemaChange&)> ended;
  std::unique_lock lock(mutex_);
  cancelled_ = true;
  if (running_ == std::this_thread::get_id()) return;
  idle_.wait(lock, [this] { return running_ == std::thread::id(); });
  ended = std::exchange(callback_, {});
  lock.unlock();
}

bool Subscription::Impl::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

Subscription::Subscription() = default;
Subscription::Subscription(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Subscription::Subscription(Subscription&&) noexcept = default;

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    Cancel();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

Subscription::~Subscription() { Cancel(); }

void Subscription::Cancel() {
  if (const auto impl = std::exchange(impl_, nullptr)) impl->Cancel();
}

namespace internal {

std::shared_ptr<Subscription::Impl> ChangeListeners::Add(
    ChangeFilter filter, std::function<void(const SchemaChange&)> callback) {
  auto listener = std::make_shared<Subscription::Impl>(std::move(filter), std::move(callback));
  const std::lock_guard lock(mutex_);
  listeners_.push_back(listener);
  return listener;
}

void ChangeListeners::Deliver(const SchemaChange& change) {
  std::vector<std::shared_ptr<Subscription::Impl>> listeners;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [](const auto& listener) { return listener->cancelled(); });
    listeners = listeners_;
  }
  for (const auto& listener : listeners) {
    // The callback before may have closed the client.
    if (closed_) return;
    listener->Deliver(change);
  }
}

}  // namespace internal
}  // namespace tickmesh
