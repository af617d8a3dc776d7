#include "ticks/ordered_fetch.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "arrow/record_batch.h"
#include "arrow/util/byte_size.h"
#include "tickmesh/status.h"
#include "ticks/call_threads.h"

namespace tickmesh::internal {

namespace {

using Clock = std::chrono::steady_clock;
using Batch = std::shared_ptr<arrow::RecordBatch>;

arrow::Status Closed() {
  return MakeError("the read is closed", {.code = ErrorCode::kCancelled, .reason = "CLOSED"});
}

}  // namespace

/// What the consumer and the fetching threads share.
class OrderedFetch::State {
 public:
  State(std::size_t endpoints, const FetchBounds& bounds, std::string peer, Open open)
      : bounds_(bounds), peer_(std::move(peer)), open_(std::move(open)), endpoints_(endpoints) {}

  /// Fetch one endpoint after the other, over one connection, until none is left.
  void Work(std::size_t connection) {
    while (const auto endpoint = Begin(connection)) {
      arrow::Status status = Fetch(*endpoint);
      const std::lock_guard lock(mutex_);
      endpoints_[*endpoint].finished = true;
      endpoints_[*endpoint].source = nullptr;
      if (!status.ok()) Fail(std::move(status));
      rows_.notify_one();
    }
  }

  arrow::Result<Batch> Next() {
    std::unique_lock lock(mutex_);
    const auto asked = Clock::now();
    while (turn_ < endpoints_.size() || !failure_.ok()) {
      ARROW_RETURN_NOT_OK(failure_);
      Endpoint& current = endpoints_[turn_];
      if (!current.ready.empty()) {
        auto [batch, bytes] = std::move(current.ready.front());
        current.ready.pop_front();
        bytes_ahead_ -= bytes;
        room_.notify_all();
        return batch;
      }
      if (current.finished) {
        ++turn_;
        room_.notify_all();
      } else {
        WaitForRows(&lock, asked);
      }
    }
    return Batch();
  }

  arrow::Result<arrow::RecordBatchVector> Rest() {
    std::unique_lock lock(mutex_);
    unbounded_ = true;
    room_.notify_all();
    const auto asked = Clock::now();
    for (const Endpoint& each : endpoints_) {
      while (!each.finished && failure_.ok()) WaitForRows(&lock, asked);
    }
    ARROW_RETURN_NOT_OK(failure_);
    arrow::RecordBatchVector batches;
    for (; turn_ < endpoints_.size(); ++turn_) {
      for (auto& [batch, bytes] : endpoints_[turn_].ready) batches.push_back(std::move(batch));
      endpoints_[turn_].ready.clear();
    }
    return batches;
  }

  /// Give up; `why` is what the consumer hears, unless it has heard of a failure already.
  void End(arrow::Status why) {
    const std::lock_guard lock(mutex_);
    Fail(std::move(why));
  }

 private:
  struct Endpoint {
    std::deque<std::pair<Batch, std::int64_t>> ready;
    std::shared_ptr<BatchSource> source;
    bool finished = false;
  };

  std::optional<std::size_t> Begin(std::size_t connection) {
    std::unique_lock lock(mutex_);
    // With the budget spent, one more connection would fetch what it may not hand over.
    room_.wait(lock, [this] {
      return !failure_.ok() || begun_ == endpoints_.size() || begun_ == turn_ || unbounded_ ||
             bytes_ahead_ < bounds_.bytes_ahead;
    });
    if (!failure_.ok() || begun_ == endpoints_.size()) return std::nullopt;
    const std::size_t endpoint = begun_++;
    endpoints_[endpoint].source = open_(endpoint, connection);
    return endpoint;
  }

  arrow::Status Fetch(std::size_t endpoint) {
    const auto source = [&] {
      const std::lock_guard lock(mutex_);
      return endpoints_[endpoint].source;
    }();
    // Null once everything was cancelled.
    while (source != nullptr) {
      ARROW_ASSIGN_OR_RAISE(Batch batch, source->Next());
      if (batch == nullptr || !HandOver(endpoint, std::move(batch))) break;
    }
    return arrow::Status::OK();
  }

  /// Wait for room and queue a batch; false when nobody wants it any more.
  bool HandOver(std::size_t endpoint, Batch batch) {
    const std::int64_t bytes = arrow::util::TotalBufferSize(*batch);
    std::unique_lock lock(mutex_);
    heard_ = Clock::now();
    Endpoint& target = endpoints_[endpoint];
    room_.wait(lock, [&] {
      return !failure_.ok() || unbounded_ || bytes_ahead_ + bytes <= bounds_.bytes_ahead ||
             (endpoint == turn_ && target.ready.empty());
    });
    if (!failure_.ok()) return false;
    bytes_ahead_ += bytes;
    target.ready.emplace_back(std::move(batch), bytes);
    if (endpoint == turn_ && !unbounded_) rows_.notify_one();
    return true;
  }

  /// Wait until there may be news; a failure once nothing has come for too long.
  void WaitForRows(std::unique_lock<std::mutex>* lock, Clock::time_point asked) {
    const auto give_up = std::max(asked, heard_) + bounds_.patience;
    if (Clock::now() < give_up) {
      rows_.wait_until(*lock, give_up);
      return;
    }
    Fail(MakeError(
        "nothing came from " + peer_ + " for " + std::to_string(bounds_.patience.count()) + " ms",
        {.code = ErrorCode::kDeadlineExceeded, .reason = "DEADLINE_EXCEEDED"}));
  }

  /// The first failure counts; nothing is fetched behind it.
  void Fail(arrow::Status status) {
    if (!failure_.ok()) return;
    failure_ = std::move(status);
    for (Endpoint& endpoint : endpoints_) {
      if (endpoint.source != nullptr) endpoint.source->Cancel();
      endpoint.ready.clear();
    }
    rows_.notify_all();
    room_.notify_all();
  }

  const FetchBounds bounds_;
  const std::string peer_;
  const Open open_;
  std::mutex mutex_;
  std::condition_variable rows_;  // the consumer waits for it
  std::condition_variable room_;  // the threads wait for it
  std::vector<Endpoint> endpoints_;
  std::size_t begun_ = 0;
  std::size_t turn_ = 0;
  std::int64_t bytes_ahead_ = 0;
  bool unbounded_ = false;  // the consumer waits for the rest
  Clock::time_point heard_ = {};
  arrow::Status failure_;
};

OrderedFetch::OrderedFetch(std::size_t endpoints, const FetchBounds& bounds, std::string peer,
                           Open open)
    : state_(std::make_shared<State>(endpoints, bounds, std::move(peer), std::move(open))) {
  for (std::size_t number = 0; number < std::min(bounds.side_by_side, endpoints); ++number) {
    arrow::Status started = threads_.Start([state = state_, number] { state->Work(number); });
    if (!started.ok()) state_->End(std::move(started));
  }
}

OrderedFetch::~OrderedFetch() { Close(); }

arrow::Result<std::shared_ptr<arrow::RecordBatch>> OrderedFetch::Next() { return state_->Next(); }

arrow::Result<arrow::RecordBatchVector> OrderedFetch::Rest() { return state_->Rest(); }

void OrderedFetch::Close() {
  state_->End(Closed());
  threads_.Join();
}

}  // namespace tickmesh::internal
