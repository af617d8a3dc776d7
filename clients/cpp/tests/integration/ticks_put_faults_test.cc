#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "arrow/api.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/trades.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Break;
using testing::CountingFrom;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::Lt;
using testing::StoredSizes;
using testing::Trades;

/// Nothing of ours waits longer than for a connection, 5 s; what hangs, hangs for 20 s and more.
constexpr seconds kHang{12};

template <typename Call>
std::chrono::steady_clock::duration TimeOf(const Call& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::steady_clock::now() - begin;
}

void WaitUntil(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "not in a minute";
    std::this_thread::sleep_for(milliseconds(10));
  }
}

class TicksPutFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override { testing::RegisterSchema(subject_, testing::TradesSchema()); }

  std::unique_ptr<TickWriter> Writer(WriterOptions options = {}) {
    options.dataset = subject_;
    return client_->OpenWriter(options).ValueOrDie();
  }

  const std::string subject_ = testing::FreshSubject();
  std::unique_ptr<TickClient> client_ =
      TickClient::Connect(testing::ThroughFaultyWires()).ValueOrDie();
};

TEST_F(TicksPutFaultsTest, T4_WhatACutConnectionLeftUnknownIsSentAgainAndStoredOnce) {
  const auto writer = Writer();
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  ASSERT_TRUE(writer->Flush(seconds(30)).ok());
  // The rows arrive; the acknowledgement is still on its way when the connection ends.
  Break("flight latency 4");
  ASSERT_TRUE(writer->Put(Trades(10, 10)).ok());
  WaitUntil([&] { return StoredSizes(subject_).size() == 20; });
  EXPECT_EQ(writer->lag_rows(), 10);
  EXPECT_THAT(writer->lag(), Gt(milliseconds(500)));
  Break("flight reset");
  Break("flight latency 0");
  ASSERT_TRUE(writer->Put(Trades(10, 20)).ok());
  const auto receipt = writer->Close(seconds(60));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->rows, 30);
  EXPECT_THAT(receipt->duplicates, Ge(1));
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 30));
}

TEST_F(TicksPutFaultsTest, T4_ConnectionsResetUnderLoadLoseAndRepeatNothing) {
  const auto writer = Writer();
  std::atomic<bool> done = false;
  std::thread breaking([&] {
    while (!done) {
      Break("flight reset");
      std::this_thread::sleep_for(milliseconds(150));
    }
  });
  std::int64_t rows = 0;
  const auto until = std::chrono::steady_clock::now() + seconds(3);
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_TRUE(writer->Put(Trades(100, rows)).ok());
    rows += 100;
    std::this_thread::sleep_for(milliseconds(1));
  }
  done = true;
  breaking.join();
  const auto receipt = writer->Close(seconds(60));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->rows, rows);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, rows));
}

TEST_F(TicksPutFaultsTest, T2_AStoreKilledUnderLoadHasEveryRowOnce) {
  client_ = TickClient::Connect(testing::ToServers()).ValueOrDie();
  const auto writer = Writer();
  std::int64_t rows = 0;
  for (int round = 0; round < 60; ++round) {
    ASSERT_TRUE(writer->Put(Trades(1'000, rows)).ok());
    rows += 1'000;
    if (round == 30) Break("tickstore kill");
    std::this_thread::sleep_for(milliseconds(2));
  }
  const auto receipt = writer->Close(seconds(90));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->rows, rows);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, rows));
}

TEST_F(TicksPutFaultsTest, T11_AFullMemoryBoundBlocksPutUntilTheStoreTakesRowsAgain) {
  constexpr std::int64_t kBound = 1 << 20;
  const auto writer = Writer({.max_waiting_bytes = kBound});
  Break("flight hold");
  std::atomic<int> taken = 0;
  std::thread putting([&] {
    for (int put = 0; put < 12; ++put) {  // each a third of the bound
      EXPECT_TRUE(writer->Put(Trades(10'000, put * 10'000)).ok());
      ++taken;
    }
  });
  WaitUntil([&] { return taken >= 2; });
  // Nothing is acknowledged, so that whatever is taken is held.
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_THAT(taken, Lt(4));
  WaitUntil([&] { return writer->lag_rows() == taken * 10'000; });
  Break("flight heal");
  putting.join();
  EXPECT_EQ(writer->Close(seconds(60)).ValueOrDie().rows, 120'000);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 120'000));
}

TEST_F(TicksPutFaultsTest, ABlockedPutEndsWhenTheWriterIsAbandoned) {
  const auto writer = Writer({.max_waiting_bytes = 1'000});
  Break("flight hold");
  ASSERT_TRUE(writer->Put(Trades(1'000)).ok());  // alone it may be larger
  std::thread blocked([&] { EXPECT_EQ(ReasonOf(writer->Put(Trades(1'000))), "CLOSED"); });
  WaitUntil([&] { return writer->lag() > milliseconds(100); });
  EXPECT_THAT(TimeOf([&] { writer->Abandon(); }), Lt(kHang));
  blocked.join();
  EXPECT_EQ(ReasonOf(writer->Flush().status()), "CLOSED");
}

/// A way in which a store stops answering.
struct Silence {
  const char* name;
  const char* command;
};

class SilentStoreTest : public TicksPutFaultsTest, public ::testing::WithParamInterface<Silence> {};

TEST_P(SilentStoreTest, FlushAndCloseKeepTheirDeadlinesAndNothingHangs) {
  auto writer = Writer();
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  ASSERT_TRUE(writer->Flush(seconds(30)).ok());
  Break(GetParam().command);
  // More than the windows of the connection take: the sender is blocked in a write.
  for (int put = 0; put < 20; ++put) ASSERT_TRUE(writer->Put(Trades(60'000, put)).ok());
  arrow::Status flushed;
  EXPECT_THAT(TimeOf([&] { flushed = writer->Flush(milliseconds(200)).status(); }), Lt(kHang));
  EXPECT_EQ(ReasonOf(flushed), "DEADLINE_EXCEEDED") << flushed;
  EXPECT_EQ(GetErrorDetails(flushed)->metadata.at("rows"), "1200000");
  EXPECT_THAT(TimeOf([&] { flushed = writer->Close(milliseconds(200)).status(); }), Lt(kHang));
  EXPECT_EQ(ReasonOf(flushed), "DEADLINE_EXCEEDED") << flushed;
  EXPECT_THAT(TimeOf([&] { writer.reset(); }), Lt(kHang));
}

TEST_P(SilentStoreTest, AnIdleWriterIsDestroyed) {
  auto writer = Writer();
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  ASSERT_TRUE(writer->Flush(seconds(30)).ok());
  Break(GetParam().command);
  EXPECT_THAT(TimeOf([&] { writer.reset(); }), Lt(kHang));
}

/// Ways that new connections meet, too.
class DeafStoreTest : public SilentStoreTest {};

TEST_P(DeafStoreTest, AWriterThatConnectsIsDestroyed) {
  auto writer = Writer();
  Break(GetParam().command);
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  EXPECT_EQ(ReasonOf(writer->Flush(milliseconds(500)).status()), "DEADLINE_EXCEEDED");
  EXPECT_THAT(TimeOf([&] { writer.reset(); }), Lt(kHang));
}

TEST_P(DeafStoreTest, AnUploadKeepsItsDeadline) {
  Break(GetParam().command);
  arrow::Status put;
  EXPECT_THAT(TimeOf([&] {
                put = client_
                          ->Put(subject_, *testing::TradesTable(300'000, 60'000),
                                {.timeout = milliseconds(500)})
                          .status();
              }),
              Lt(kHang));
  EXPECT_EQ(ReasonOf(put), "DEADLINE_EXCEEDED") << put;
}

INSTANTIATE_TEST_SUITE_P(Ways, SilentStoreTest,
                         ::testing::Values(Silence{"Frozen", "tickstore freeze"},
                                           Silence{"Held", "flight hold"},
                                           Silence{"HalfOpen", "flight cut"}),
                         [](const auto& each) { return std::string(each.param.name); });
INSTANTIATE_TEST_SUITE_P(Ways, DeafStoreTest,
                         ::testing::Values(Silence{"Frozen", "tickstore freeze"},
                                           Silence{"Held", "flight hold"}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(TicksPutFaultsTest, AStoreThatIsAwayFailsTheWriterOnceItsRetryTimeIsOver) {
  const auto writer = Writer({.retry_time = milliseconds(500)});
  Break("flight down");
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  const auto failed = writer->Flush(seconds(60)).status();
  EXPECT_EQ(ReasonOf(failed), "UNREACHABLE") << failed;
  EXPECT_EQ(GetErrorDetails(failed)->code, ErrorCode::kUnavailable);
  EXPECT_EQ(ReasonOf(writer->Put(Trades(1))), "UNREACHABLE");
}

TEST_F(TicksPutFaultsTest, AStoreThatComesBackIsWrittenOn) {
  const auto writer = Writer();
  Break("flight down");
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  EXPECT_EQ(ReasonOf(writer->Flush(seconds(1)).status()), "DEADLINE_EXCEEDED");
  Break("flight up");
  EXPECT_EQ(writer->Close(seconds(60)).ValueOrDie().rows, 10);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 10));
}

TEST_F(TicksPutFaultsTest, AnUploadToAStoreThatIsAwayIsUnavailable) {
  Break("flight down");
  const auto put = client_->Put(subject_, *testing::TradesTable(10, 10)).status();
  EXPECT_EQ(ReasonOf(put), "UNREACHABLE") << put;
  EXPECT_TRUE(GetErrorDetails(put)->retryable());
}

TEST_F(TicksPutFaultsTest, AStoreThatIsAwayOpensNoWriterAndSaysSo) {
  const auto options = testing::ThroughFaultyWires();
  Break("tickstore down");
  const auto opened =
      TickClient::Connect(options).ValueOrDie()->OpenWriter({.dataset = subject_}).status();
  EXPECT_EQ(ReasonOf(opened), "UNREACHABLE") << opened;
}

TEST_F(TicksPutFaultsTest, KnownSubjectsAreWrittenWhileTheRegistryIsAway) {
  ASSERT_TRUE(client_->Put(subject_, *testing::TradesTable(10, 10)).ok());
  Break("registry freeze");
  const auto put = client_->Put(subject_, *testing::TradesTable(10, 10, 10));
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 20));
  const auto unseen = client_->Put(testing::FreshSubject(), *testing::TradesTable(1, 1)).status();
  EXPECT_EQ(ReasonOf(unseen), "REGISTRY_UNAVAILABLE") << unseen;
  EXPECT_TRUE(GetErrorDetails(unseen)->retryable());
}

}  // namespace
}  // namespace tickmesh
