#include "ticks/tail_stream.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "arrow/record_batch.h"
#include "arrow/util/byte_size.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

// Held for the consumer; behind it HTTP/2 holds the store back.
constexpr std::int64_t kBytesAhead = 16 * 1024 * 1024;

}  // namespace

/// What the consumer and the reading thread share.
class TailStream::State {
 public:
  State(std::shared_ptr<TailExchange> exchange, std::chrono::milliseconds silence_limit,
        std::string peer)
      : exchange_(std::move(exchange)), silence_limit_(silence_limit), peer_(std::move(peer)) {}

  /// Read until the stream ends.
  void Read() {
    while (true) {
      auto next = exchange_->Next();
      if (!next.ok()) return End(next.status());
      if (!next->has_value()) return End(EndedByTheStore());
      const bool heartbeat = (**next).batch == nullptr;
      if (!Queue(*std::move(*next))) return;
      // The store can end a stream in good order only when it hears something.
      if (heartbeat) exchange_->Tell(0, handled());
    }
  }

  TailEvent Next(std::optional<Clock::time_point> until) {
    std::unique_lock lock(mutex_);
    while (queue_.empty() && ended_.ok()) {
      const auto now = Clock::now();
      const auto silent = heard_ + silence_limit_;
      if (now >= silent) {
        Finish(MakeError("nothing came from " + peer_ + " for " +
                             std::to_string(silence_limit_.count()) + " ms, not even a heartbeat",
                         {.code = ErrorCode::kUnavailable, .reason = "TAIL_SILENT"}));
        break;
      }
      if (until && now >= *until) return {};
      changed_.wait_until(lock, until ? std::min(*until, silent) : silent);
    }
    if (queue_.empty()) return {.message = std::nullopt, .ended = ended_};
    auto [message, bytes] = std::move(queue_.front());
    queue_.pop_front();
    if (bytes_ahead_ >= kBytesAhead) heard_ = Clock::now();  // it has not been listened to
    bytes_ahead_ -= bytes;
    changed_.notify_all();
    return {.message = std::move(message), .ended = arrow::Status::OK()};
  }

  void Handled(std::int64_t credits, const std::string& position) {
    {
      const std::lock_guard lock(mutex_);
      handled_ = position;
    }
    if (credits > 0) exchange_->Tell(credits, position);
  }

  void Cancel() {
    const std::lock_guard lock(mutex_);
    queue_.clear();
    Finish(MakeError("the tail is closed", {.code = ErrorCode::kCancelled, .reason = "CLOSED"}));
  }

  /// End the stream behind what is queued; the first reason counts.
  void End(arrow::Status why) {
    const std::lock_guard lock(mutex_);
    Finish(std::move(why));
  }

 private:
  arrow::Status EndedByTheStore() const {
    return MakeError("the tick store at " + peer_ + " ended the tail",
                     {.code = ErrorCode::kUnavailable, .reason = "STREAM_ENDED"});
  }

  /// Wait for room and hand a message over; false when nobody wants it any more.
  bool Queue(TailMessage message) {
    const std::int64_t bytes =
        message.batch == nullptr ? 0 : arrow::util::TotalBufferSize(*message.batch);
    std::unique_lock lock(mutex_);
    heard_ = Clock::now();
    if (!ended_.ok()) return false;
    if (message.batch == nullptr && !queue_.empty() && queue_.back().first.batch == nullptr) {
      queue_.back().first = std::move(message);
    } else {
      queue_.emplace_back(std::move(message), bytes);
      bytes_ahead_ += bytes;
    }
    changed_.notify_all();
    changed_.wait(lock, [this] { return bytes_ahead_ < kBytesAhead || !ended_.ok(); });
    heard_ = Clock::now();
    return ended_.ok();
  }

  void Finish(arrow::Status why) {
    if (!ended_.ok()) return;
    ended_ = std::move(why);
    exchange_->Cancel();
    changed_.notify_all();
  }

  std::string handled() {
    const std::lock_guard lock(mutex_);
    return handled_;
  }

  const std::shared_ptr<TailExchange> exchange_;
  const std::chrono::milliseconds silence_limit_;
  const std::string peer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<TailMessage, std::int64_t>> queue_;
  std::int64_t bytes_ahead_ = 0;
  std::string handled_;
  Clock::time_point heard_ = Clock::now();
  arrow::Status ended_;
};

TailStream::TailStream(std::shared_ptr<TailExchange> exchange,
                       std::chrono::milliseconds silence_limit, const std::string& peer)
    : state_(std::make_shared<State>(std::move(exchange), silence_limit, peer)) {
  arrow::Status started = threads_.Start([state = state_] { state->Read(); });
  if (!started.ok()) state_->End(std::move(started));
}

TailStream::~TailStream() {
  state_->Cancel();
  threads_.Join();
}

TailEvent TailStream::Next(std::optional<Clock::time_point> until) {
  if (held_) {
    state_->Handled(credits_.Handled(), *held_);
    held_.reset();
  }
  TailEvent event = state_->Next(until);
  if (event.message) {
    if (event.message->batch != nullptr) {
      held_ = event.message->position;
    } else {
      state_->Handled(0, event.message->position);
    }
  }
  return event;
}

void TailStream::Cancel() { state_->Cancel(); }

}  // namespace tickmesh::internal
