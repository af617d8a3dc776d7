#include "ticks/tail_stream.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "arrow/api.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"
#include "ticks/tail.h"
#include "ticks/tail_credits.h"
#include "ticks/tail_pause.h"

namespace tickmesh::internal {
namespace {

using namespace std::chrono_literals;

/// An exchange whose messages a test writes down beforehand; then it is silent, or ends.
class WrittenExchange final : public TailExchange {
 public:
  using Step = arrow::Result<std::optional<TailMessage>>;

  explicit WrittenExchange(std::vector<Step> steps) : steps_(steps.begin(), steps.end()) {}

  Step Next() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return cancelled_ || !steps_.empty(); });
    if (cancelled_) return arrow::Status::Cancelled("cancelled");
    Step step = std::move(steps_.front());
    steps_.pop_front();
    changed_.notify_all();
    return step;
  }

  void Tell(std::int64_t credits, const std::string& position) override {
    const std::lock_guard lock(mutex_);
    told_.emplace_back(credits, position);
    changed_.notify_all();
  }

  void Cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }

  /// Wait until the store has heard so often.
  std::vector<std::pair<std::int64_t, std::string>> Heard(std::size_t times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_.size() >= times; });
    return told_;
  }

  std::size_t unread() {
    const std::lock_guard lock(mutex_);
    return steps_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Step> steps_;
  std::vector<std::pair<std::int64_t, std::string>> told_;
  bool cancelled_ = false;
};

TailMessage Rows(const std::string& position, std::int64_t bytes = 8) {
  const auto column = std::make_shared<arrow::Int64Array>(
      bytes / 8, std::shared_ptr<arrow::Buffer>(arrow::AllocateBuffer(bytes).ValueOrDie()));
  return {.batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("n", arrow::int64())}),
                                            bytes / 8, {column}),
          .position = position,
          .dataset_revision = 1};
}

TailMessage Heartbeat(const std::string& position) {
  return {.batch = nullptr, .position = position, .dataset_revision = 1};
}

arrow::Status Away() {
  return MakeError("away", {.code = ErrorCode::kUnavailable, .reason = "UNREACHABLE"});
}

TEST(TailCreditsTest, HalfOfTheWindowIsGrantedAgainOnceItIsUsedUp) {
  TailCredits credits;
  std::int64_t outstanding = TailCredits::kWindow;
  for (int batch = 0; batch < 1'000; ++batch) {
    --outstanding;
    const std::int64_t granted = credits.Handled();
    EXPECT_TRUE(granted == 0 || granted == TailCredits::kWindow / 2);
    outstanding += granted;
    EXPECT_GE(outstanding, TailCredits::kWindow / 2);
    EXPECT_LE(outstanding, TailCredits::kWindow);
  }
}

TEST(TailPauseTest, GrowsBelowItsCeilingUntilSomethingComes) {
  TailPause pause;
  TailPause::Duration ceiling = TailPause::kFirst;
  for (int time = 0; time < 40; ++time) {
    const auto wait = pause.After(Away());
    EXPECT_GE(wait.count(), 0.0);
    EXPECT_LE(wait, ceiling);
    ceiling = std::min(ceiling * TailPause::kGrowth, TailPause::kLongest);
  }
  pause.Reset();
  EXPECT_LE(pause.After(Away()), TailPause::kFirst);
}

TEST(TailPauseTest, WhatTheStoreAskedForCounts) {
  TailPause pause;
  EXPECT_EQ(pause.After(MakeError("", {.code = ErrorCode::kUnavailable, .retry_after = 7s})),
            TailPause::Duration(7.0));
  EXPECT_EQ(pause.After(
                MakeError("", {.code = ErrorCode::kResourceExhausted, .reason = "SLOW_CONSUMER"})),
            TailPause::Duration(0.0));
}

TEST(TailPauseTest, OnlyWhatPassesIsWaitedFor) {
  EXPECT_TRUE(TailPause::CanGoOn(Away()));
  EXPECT_TRUE(TailPause::CanGoOn(
      MakeError("", {.code = ErrorCode::kResourceExhausted, .reason = "SLOW_CONSUMER"})));
  for (const ErrorCode code :
       {ErrorCode::kResourceExhausted, ErrorCode::kNotFound, ErrorCode::kOutOfRange,
        ErrorCode::kDataLoss, ErrorCode::kInternal, ErrorCode::kPermissionDenied}) {
    EXPECT_FALSE(TailPause::CanGoOn(MakeError("", {.code = code})));
  }
}

TEST(TailStreamTest, AHeartbeatIsAnsweredWithWhatWasHandled) {
  const auto exchange = std::make_shared<WrittenExchange>(
      std::vector<WrittenExchange::Step>{Rows("one"), Heartbeat("two")});
  TailStream stream(exchange, 60s, "store:1");
  // Before the consumer has come back for more, nothing is handled.
  EXPECT_EQ(exchange->Heard(1)[0], std::make_pair(std::int64_t{0}, std::string()));
  EXPECT_EQ(stream.Next(std::nullopt).message->position, "one");
  const TailEvent beat = stream.Next(std::nullopt);
  EXPECT_EQ(beat.message->batch, nullptr);
  EXPECT_EQ(beat.message->position, "two");
}

TEST(TailStreamTest, CreditsAreGrantedAsTheConsumerComesBack) {
  std::vector<WrittenExchange::Step> steps;
  for (int batch = 0; batch < 33; ++batch) steps.emplace_back(Rows(std::to_string(batch)));
  const auto exchange = std::make_shared<WrittenExchange>(std::move(steps));
  TailStream stream(exchange, 60s, "store:1");
  for (int batch = 0; batch < 33; ++batch) {
    EXPECT_EQ(stream.Next(std::nullopt).message->position, std::to_string(batch));
  }
  EXPECT_THAT(exchange->Heard(1), ::testing::ElementsAre(std::make_pair(32, "31")));
}

TEST(TailStreamTest, T11NoMoreIsReadAheadThanTheBound) {
  std::vector<WrittenExchange::Step> steps;
  for (int batch = 0; batch < 20; ++batch) {
    steps.emplace_back(Rows(std::to_string(batch), 4 * 1024 * 1024));
  }
  const auto exchange = std::make_shared<WrittenExchange>(std::move(steps));
  TailStream stream(exchange, 60s, "store:1");
  for (int batch = 0; batch < 20; ++batch) {
    EXPECT_GE(exchange->unread() + 5 + static_cast<std::size_t>(batch), 20u);
    EXPECT_EQ(stream.Next(std::nullopt).message->position, std::to_string(batch));
  }
}

TEST(TailStreamTest, WhatIsQueuedComesBeforeTheEnd) {
  const auto exchange =
      std::make_shared<WrittenExchange>(std::vector<WrittenExchange::Step>{Rows("one"), Away()});
  TailStream stream(exchange, 60s, "store:1");
  EXPECT_EQ(stream.Next(std::nullopt).message->position, "one");
  EXPECT_EQ(ReasonOf(stream.Next(std::nullopt).ended), "UNREACHABLE");
}

TEST(TailStreamTest, SilenceEndsItOnceItsLimitIsReached) {
  const auto silent = [](std::chrono::milliseconds limit) {
    return std::make_unique<TailStream>(
        std::make_shared<WrittenExchange>(std::vector<WrittenExchange::Step>{}), limit, "store:1");
  };
  const TailEvent nothing = silent(1h)->Next(TailStream::Clock::now() + 30ms);
  EXPECT_FALSE(nothing.message.has_value());
  EXPECT_TRUE(nothing.ended.ok());
  EXPECT_EQ(ReasonOf(silent(30ms)->Next(std::nullopt).ended), "TAIL_SILENT");
}

/// A tail over exchanges that are written down, one a stream.
class WrittenTail {
 public:
  explicit WrittenTail(std::vector<std::vector<WrittenExchange::Step>> streams)
      : streams_(std::move(streams)) {}

  TickTail Open(std::function<void(const arrow::Status&)> told = {}) {
    api::tickstore::v1::ReadCommand command;
    command.set_resume_token("start");
    return TickTail(std::make_unique<TickTail::Impl>(
        command, "store:1", 60s, std::move(told),
        [this](const api::tickstore::v1::ReadCommand& from, std::int64_t credits) {
          EXPECT_EQ(credits, TailCredits::kWindow);
          resumed_from.push_back(from.resume_token());
          return std::make_shared<WrittenExchange>(streams_.at(resumed_from.size() - 1));
        }));
  }

  std::vector<std::string> resumed_from;

 private:
  std::vector<std::vector<WrittenExchange::Step>> streams_;
};

TEST(TickTailTest, EachStreamGoesOnBehindWhatWasHandedOut) {
  WrittenTail written(
      {{Rows("one"), Rows("two"), Away()}, {Heartbeat("three"), Away()}, {Away()}, {Rows("four")}});
  std::vector<std::string> told;
  TickTail tail = written.Open([&](const arrow::Status& why) { told.emplace_back(ReasonOf(why)); });
  EXPECT_EQ(tail.position(), "start");
  for (const char* position : {"one", "two", "four"}) {
    const auto next = tail.Next();
    ASSERT_TRUE(next.ok() && next->has_value());
    EXPECT_EQ((*next)->position, position);
    EXPECT_EQ(tail.position(), position);
  }
  EXPECT_THAT(written.resumed_from, ::testing::ElementsAre("start", "two", "three", "three"));
  EXPECT_THAT(told, ::testing::ElementsAre("UNREACHABLE", "UNREACHABLE", "UNREACHABLE"));
  EXPECT_EQ(tail.interruptions(), 3);
}

TEST(TickTailTest, AFailureThatStaysIsTheLastWord) {
  WrittenTail written(
      {{MakeError("gone", {.code = ErrorCode::kOutOfRange, .reason = "POSITION_EXPIRED"})}});
  TickTail tail = written.Open();
  EXPECT_EQ(ReasonOf(tail.Next().status()), "POSITION_EXPIRED");
  EXPECT_EQ(ReasonOf(tail.Next().status()), "POSITION_EXPIRED");
  EXPECT_EQ(tail.interruptions(), 0);
}

TEST(TickTailTest, APauseIsNotWaitedOutBeyondTheTimeout) {
  WrittenTail written({{MakeError("draining", {.code = ErrorCode::kUnavailable,
                                               .reason = "DRAINING",
                                               .retry_after = std::chrono::hours(1)})}});
  TickTail tail = written.Open();
  const auto nothing = tail.Next(20ms);
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
  EXPECT_EQ(written.resumed_from.size(), 1u);
  tail.Close();
  EXPECT_EQ(ReasonOf(tail.Next().status()), "CLOSED");
}

}  // namespace
}  // namespace tickmesh::internal
