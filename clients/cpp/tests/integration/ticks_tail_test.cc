#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arrow/api.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/stored_trades.h"
#include "tests/support/tail_rows.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

using namespace std::chrono_literals;
using testing::Counted;
using testing::NotedTrades;
using testing::PutPlainly;
using testing::StoredTrades;
using testing::Take;

class TickTailTest : public ::testing::Test {
 protected:
  TickTail Tail(const TailOptions& options) {
    auto tail = client_->Tail(options);
    EXPECT_TRUE(tail.ok()) << tail.status().ToString();
    return std::move(**tail);
  }

  std::unique_ptr<TickClient> client_ = *TickClient::Connect(testing::ToServers());
};

TEST_F(TickTailTest, T8HistoryThenLiveWithoutGapOrRepeat) {
  const std::string subject = StoredTrades(100);
  std::thread producer([&] {
    for (int number = 0; number < 40; ++number)
      PutPlainly(subject, *NotedTrades(7, 100 + 7 * number));
  });
  TickTail tail = Tail({.dataset = subject});
  const auto seen = Take(&tail, 100 + 7 * 40);
  producer.join();
  EXPECT_EQ(seen.sizes, Counted(0, 100 + 7 * 40));
  EXPECT_TRUE(std::is_sorted(seen.revisions.begin(), seen.revisions.end()));
  EXPECT_EQ(tail.interruptions(), 0);
  EXPECT_EQ(tail.position(), seen.positions.back());
}

TEST_F(TickTailTest, T8ATailResumesBehindAnyOfItsPositions) {
  const std::string subject = StoredTrades(10);
  for (int number = 1; number < 5; ++number) PutPlainly(subject, *NotedTrades(10, 10 * number));
  TickTail whole = Tail({.dataset = subject});
  const auto seen = Take(&whole, 50);
  std::int64_t rows = 0;
  for (std::size_t stop = 0; stop + 1 < seen.positions.size(); ++stop) {
    rows += seen.rows[stop];
    TickTail rest = Tail({.dataset = subject, .after = seen.positions[stop]});
    EXPECT_EQ(rest.position(), seen.positions[stop]);
    EXPECT_EQ(Take(&rest, 50 - rows).sizes, Counted(rows, 50));
  }
  EXPECT_GE(seen.positions.size(), 2u);
}

TEST_F(TickTailTest, ATailOfNewRowsBeginsBehindThoseThereAre) {
  const std::string subject = StoredTrades(100);
  TickTail tail = Tail({.dataset = subject, .begin = TailBegin::kNewest});
  PutPlainly(subject, *NotedTrades(7, 100));
  EXPECT_EQ(Take(&tail, 7).sizes, Counted(100, 107));
  EXPECT_EQ(
      ReasonOf(client_->Tail({.dataset = "ticks.nobody", .begin = TailBegin::kNewest}).status()),
      "DATASET_NOT_FOUND");
}

TEST_F(TickTailTest, SymbolsAndColumnsAreChosenAndDictionariesStayDictionaries) {
  const std::string subject = StoredTrades(30);
  TickTail tail = Tail({.dataset = subject, .symbols = {"IBM"}, .columns = {"symbol", "size"}});
  const auto next = tail.Next(30s);
  ASSERT_TRUE(next.ok() && next->has_value());
  EXPECT_EQ((*next)->batch->num_columns(), 2);
  EXPECT_EQ((*next)->batch->schema()->field(0)->type()->id(), arrow::Type::DICTIONARY);
  EXPECT_TRUE((*next)->batch->ValidateFull().ok());
}

TEST_F(TickTailTest, AConditionChoosesRowsInTheStore) {
  const std::string subject = StoredTrades(30);
  TickTail tail = Tail({.dataset = subject, .where = Col("size") >= 28});
  EXPECT_EQ(Take(&tail, 2).sizes, Counted(28, 30));
  PutPlainly(subject, *NotedTrades(2, 30));
  EXPECT_EQ(Take(&tail, 2).sizes, Counted(30, 32));
}

TEST_F(TickTailTest, NextReturnsNothingOnceItsTimeoutHasPassed) {
  const std::string subject = StoredTrades(5);
  TickTail tail = Tail({.dataset = subject});
  EXPECT_EQ(Take(&tail, 5).sizes, Counted(0, 5));
  const auto started = std::chrono::steady_clock::now();
  const auto nothing = tail.Next(300ms);
  ASSERT_TRUE(nothing.ok()) << nothing.status().ToString();
  EXPECT_FALSE(nothing->has_value());
  EXPECT_GE(std::chrono::steady_clock::now() - started, 300ms);
  PutPlainly(subject, *NotedTrades(1, 5));
  EXPECT_EQ(Take(&tail, 1).sizes, Counted(5, 6));
}

TEST_F(TickTailTest, ATailIsEndedFromAnotherThread) {
  const std::string subject = StoredTrades(5);
  for (int round = 0; round < 20; ++round) {
    TickTail tail = Tail({.dataset = subject});
    Take(&tail, 5);
    std::thread other([&] { tail.Close(); });
    EXPECT_EQ(ReasonOf(tail.Next().status()), "CLOSED");
    other.join();
    tail.Close();
    EXPECT_EQ(ReasonOf(tail.Next(0ms).status()), "CLOSED");
  }
}

TEST_F(TickTailTest, ATailIsDroppedAndOutlivesItsClient) {
  const std::string subject = StoredTrades(100'000);
  {
    TickTail untouched = Tail({.dataset = subject});
  }
  {
    TickTail begun = Tail({.dataset = subject});
    ASSERT_TRUE(begun.Next(30s).ok());
  }
  TickTail tail = Tail({.dataset = subject});
  client_.reset();
  EXPECT_EQ(Take(&tail, 100'000).sizes, Counted(0, 100'000));
}

TEST_F(TickTailTest, WhatNoRetryMendsEndsATailWithItsReason) {
  const std::string subject = StoredTrades(5);
  TickTail nobody = Tail({.dataset = "ticks.nobody"});
  for (int time = 0; time < 2; ++time) {
    const auto next = nobody.Next(30s);
    ASSERT_NE(GetErrorDetails(next.status()), nullptr) << next.status().ToString();
    EXPECT_EQ(GetErrorDetails(next.status())->code, ErrorCode::kNotFound);
    EXPECT_EQ(ReasonOf(next.status()), "DATASET_NOT_FOUND");
  }
  TickTail forged = Tail({.dataset = subject, .after = "forged"});
  EXPECT_EQ(ReasonOf(forged.Next(30s).status()), "TOKEN_INVALID");
  TickTail column = Tail({.dataset = subject, .columns = {"nothing"}});
  EXPECT_EQ(GetErrorDetails(column.Next(30s).status())->code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(client_->Tail({.dataset = subject, .version = -1}).status()),
            "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace tickmesh
