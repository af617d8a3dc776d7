#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/stored_trades.h"
#include "tests/support/tail_rows.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

using namespace std::chrono_literals;
using testing::Break;
using testing::Counted;
using testing::NotedTrades;
using testing::StoredTrades;
using testing::TailRows;
using testing::Take;

using Clock = std::chrono::steady_clock;

constexpr auto kGrace = 15s;

/// Puts trades in small messages, each stored once whatever breaks, until it is destroyed.
class Producer {
 public:
  explicit Producer(std::string subject, std::int64_t first)
      : subject_(std::move(subject)), next_(first), thread_([this] { Run(); }) {}
  ~Producer() { Stop(); }

  /// One more row than the last that was put.
  std::int64_t Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return next_;
  }

 private:
  void Run() {
    const auto client = *TickClient::Connect(testing::ToServers());
    auto writer = client->OpenWriter({.dataset = subject_});
    for (int attempt = 0; attempt < 50 && !writer.ok(); ++attempt) {
      std::this_thread::sleep_for(200ms);
      writer = client->OpenWriter({.dataset = subject_});
    }
    ASSERT_TRUE(writer.ok()) << writer.status().ToString();
    while (!stopping_) {
      ASSERT_TRUE((*writer)->Put(*NotedTrades(5, next_)).ok());
      next_ += 5;
      // The pace of a feed, so that faults fall between messages and within them.
      std::this_thread::sleep_for(2ms);
    }
    const auto receipt = (*writer)->Close();
    ASSERT_TRUE(receipt.ok()) << receipt.status().ToString();
  }

  const std::string subject_;
  std::atomic<std::int64_t> next_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class TickTailFaultsTest : public ::testing::Test {
 protected:
  TickTail Tail(TailOptions options) {
    options.dataset = subject_;
    options.on_interruption = [this](const arrow::Status& why) { told_.push_back(why); };
    auto tail = client_->Tail(options);
    EXPECT_TRUE(tail.ok()) << tail.status().ToString();
    return std::move(**tail);
  }

  const std::string subject_ = StoredTrades(100);
  std::vector<arrow::Status> told_;
  std::unique_ptr<TickClient> client_ = *TickClient::Connect(testing::ThroughFaultyWires());
};

TEST_F(TickTailFaultsTest, T8NoGapAndNoRepeatWhileWiresBreakAndTheStoreIsKilled) {
  TickTail tail = Tail({.silence_limit = 3s});
  std::vector<std::int64_t> sizes;
  std::int64_t next = 0;
  {
    Producer producer(subject_, 100);
    for (const char* fault :
         {"flight reset", "flight cut", "tickstore kill", "flight reset", "tickstore kill"}) {
      const TailRows before = Take(&tail, 200);
      sizes.insert(sizes.end(), before.sizes.begin(), before.sizes.end());
      const std::int64_t interruptions = tail.interruptions();
      Break(fault);
      while (tail.interruptions() == interruptions) {
        const TailRows more = Take(&tail, 1);
        sizes.insert(sizes.end(), more.sizes.begin(), more.sizes.end());
      }
    }
    next = producer.Stop();
  }
  const TailRows rest = Take(&tail, next - static_cast<std::int64_t>(sizes.size()));
  sizes.insert(sizes.end(), rest.sizes.begin(), rest.sizes.end());
  EXPECT_EQ(sizes, Counted(0, next));
  EXPECT_EQ(tail.interruptions(), static_cast<std::int64_t>(told_.size()));
  EXPECT_GE(tail.interruptions(), 5);
  for (const arrow::Status& why : told_) {
    EXPECT_EQ(GetErrorDetails(why)->code, ErrorCode::kUnavailable) << why.ToString();
  }
}

TEST_F(TickTailFaultsTest, SilenceBeyondItsLimitIsAnInterruption) {
  TickTail tail = Tail({.silence_limit = 2s});
  Take(&tail, 100);
  Break("flight cut");
  testing::PutPlainly(subject_, *NotedTrades(5, 100));
  EXPECT_EQ(Take(&tail, 5).sizes, Counted(100, 105));
  ASSERT_GE(told_.size(), 1u);
  EXPECT_EQ(ReasonOf(told_[0]), "TAIL_SILENT");
}

TEST_F(TickTailFaultsTest, HeartbeatsAreNoSilence) {
  TickTail tail = Tail({.silence_limit = 5s});
  Take(&tail, 100);
  const auto nothing = tail.Next(7s);
  ASSERT_TRUE(nothing.ok()) << nothing.status().ToString();
  EXPECT_FALSE(nothing->has_value());
  EXPECT_EQ(tail.interruptions(), 0);
}

TEST_F(TickTailFaultsTest, AStoreThatIsAwayIsWaitedForWithinTheTimeoutAndNoLonger) {
  Break("flight down");
  TickTail tail = Tail({});
  const auto nothing = tail.Next(1s);
  ASSERT_TRUE(nothing.ok()) << nothing.status().ToString();
  EXPECT_FALSE(nothing->has_value());
  EXPECT_GE(tail.interruptions(), 1);
  std::thread closer([&] { tail.Close(); });
  const auto started = Clock::now();
  EXPECT_EQ(ReasonOf(tail.Next().status()), "CLOSED");
  closer.join();
  EXPECT_LT(Clock::now() - started, kGrace);
  Break("flight up");
}

TEST_F(TickTailFaultsTest, AFrozenStoreHoldsUpNeitherATimeoutNorAClose) {
  TickTail tail = Tail({});
  Take(&tail, 100);
  Break("tickstore freeze");
  const auto started = Clock::now();
  EXPECT_FALSE((*tail.Next(200ms)).has_value());
  std::thread closer([&] { tail.Close(); });
  EXPECT_EQ(ReasonOf(tail.Next().status()), "CLOSED");
  closer.join();
  {
    const TickTail dropped = Tail({});
  }
  EXPECT_LT(Clock::now() - started, kGrace);
  Break("tickstore thaw");
}

TEST_F(TickTailFaultsTest, T8ASlowConsumerIsToldAndMissesNothing) {
  TickTail tail = Tail({});
  TailRows seen = Take(&tail, 100);
  // The consumer does not come back for more while messages beyond its credits are committed.
  std::int64_t next = 100;
  for (int message = 0; message < 200; ++message, next += 1'000) {
    testing::PutPlainly(subject_, *NotedTrades(1'000, next));
  }
  // The store tells the slow with its next heartbeat, a second later where it is not held up.
  std::this_thread::sleep_for(8s);
  const TailRows rest = Take(&tail, next - 100);
  EXPECT_EQ(rest.sizes, Counted(100, next));
  ASSERT_GE(told_.size(), 1u);
  EXPECT_EQ(ReasonOf(told_[0]), "SLOW_CONSUMER") << told_[0].ToString();
}

/// How far a process has come that was killed.
struct Left {
  std::int64_t rows = 0;
  std::string position;
};

/// A process of its own that follows a dataset.
class Follower {
 public:
  explicit Follower(std::string dataset) {
    int progress[2];
    if (pipe2(progress, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, progress[1], STDOUT_FILENO);
    ConnectionOptions servers = testing::ToServers();
    std::string program = TICKMESH_TAIL_FOLLOWER;
    char* const arguments[] = {program.data(), servers.tickstore.data(),
                               servers.tickstore_flight.data(), dataset.data(), nullptr};
    const int failed = posix_spawn(&process_, program.c_str(), &files, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    close(progress[1]);
    progress_ = fdopen(progress[0], "r");
    if (failed != 0) throw std::runtime_error(program + " does not start");
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    fclose(progress_);
  }

  /// Where it is behind its next batch.
  Left Next() {
    long rows = 0;
    char position[512];
    if (fscanf(progress_, "%ld %511s", &rows, position) != 2) {
      throw std::runtime_error("the follower has ended");
    }
    return {.rows = rows, .position = position};
  }

 private:
  pid_t process_ = 0;
  FILE* progress_ = nullptr;
};

TEST(TickTailProcessTest, T8AnotherProcessGoesOnBehindThePositionOfOneThatWasKilled) {
  const std::string subject = StoredTrades(10);
  for (int number = 1; number < 4; ++number) {
    testing::PutPlainly(subject, *NotedTrades(10, 10 * number));
  }
  Left left;
  {
    Follower follower(subject);
    for (int batch = 0; batch < 2; ++batch) {
      left = follower.Next();
      testing::PutPlainly(subject, *NotedTrades(10, 40 + 10 * batch));
    }
  }
  const auto client = *TickClient::Connect(testing::ToServers());
  const auto tail = *client->Tail({.dataset = subject, .after = left.position});
  EXPECT_EQ(Take(tail.get(), 60 - left.rows).sizes, Counted(left.rows, 60));
}

}  // namespace
}  // namespace tickmesh
