#include <chrono>
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

using std::chrono::seconds;
using testing::CountingFrom;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Lt;
using testing::StoredSizes;
using testing::Trades;

class TicksPutWriterTest : public ::testing::Test {
 protected:
  void SetUp() override { testing::RegisterSchema(subject_, testing::TradesSchema()); }

  std::unique_ptr<TickWriter> Writer(WriterOptions options = {}) {
    options.dataset = subject_;
    return client_->OpenWriter(options).ValueOrDie();
  }

  const std::string subject_ = testing::FreshSubject();
  std::unique_ptr<TickClient> client_ = TickClient::Connect(testing::ToServers()).ValueOrDie();
};

TEST_F(TicksPutWriterTest, ManySmallPutsAreFewMessagesAndEveryRowOnce) {
  const auto writer = Writer();
  for (std::int64_t row = 0; row < 2'000; ++row) ASSERT_TRUE(writer->Put(Trades(1, row)).ok());
  const auto receipt = writer->Close(seconds(30));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->rows, 2'000);
  EXPECT_THAT(receipt->batches, Lt(2'000));
  EXPECT_EQ(receipt->duplicates, 0);
  EXPECT_THAT(receipt->dataset_revision, Gt(0));
  EXPECT_EQ(writer->lag_rows(), 0);
  EXPECT_EQ(writer->lag().count(), 0);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 2'000));
}

TEST_F(TicksPutWriterTest, FlushMeansDurableAndTheWriterGoesOn) {
  const auto writer = Writer();
  ASSERT_TRUE(writer->Put(*testing::TradesTable(1'000, 300)).ok());
  const auto first = writer->Flush(seconds(30));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->rows, 1'000);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 1'000));

  ASSERT_TRUE(writer->Put(Trades(10, 1'000)).ok());
  const auto second = writer->Close(seconds(30));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->rows, 1'010);
  EXPECT_THAT(second->dataset_revision, Gt(first->dataset_revision));
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 1'010));

  // Closing again says the same; nothing more is taken.
  EXPECT_EQ(writer->Close().ValueOrDie().rows, 1'010);
  EXPECT_EQ(ReasonOf(writer->Put(Trades(1))), "CLOSED");
}

TEST_F(TicksPutWriterTest, RowsAreVisibleOnceReceivedToo) {
  const auto writer = Writer({.acknowledgement = AcknowledgementLevel::kReceived});
  ASSERT_TRUE(writer->Put(Trades(100)).ok());
  EXPECT_EQ(writer->Close(seconds(30)).ValueOrDie().rows, 100);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 100));
}

TEST_F(TicksPutWriterTest, ThreadsShareAWriterAndTheRowsOfAPutStayTogether) {
  const auto writer = Writer();
  constexpr std::int64_t kThreads = 4;
  constexpr std::int64_t kPuts = 20;
  constexpr std::int64_t kRows = 500;
  std::vector<std::thread> threads;
  for (std::int64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::int64_t put = 0; put < kPuts; ++put) {
        const auto table = testing::TradesTable(kRows, 70, (thread * kPuts + put) * kRows);
        EXPECT_TRUE(writer->Put(*table).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(writer->Close(seconds(60)).ok());

  const auto sizes = StoredSizes(subject_);
  ASSERT_EQ(sizes.size(), kThreads * kPuts * kRows);
  std::vector<std::int64_t> next_put(kThreads, 0);
  for (std::size_t place = 0; place < sizes.size(); place += kRows) {
    const std::vector<std::int64_t> rows(sizes.begin() + place, sizes.begin() + place + kRows);
    ASSERT_EQ(rows, CountingFrom(sizes[place], kRows)) << "row " << place;
    const std::int64_t put = sizes[place] / kRows;
    EXPECT_EQ(put % kPuts, next_put[put / kPuts]++) << "puts of one thread changed places";
  }
}

TEST_F(TicksPutWriterTest, DictionariesThatDifferAreJoined) {
  const auto writer = Writer();
  const auto type = arrow::dictionary(arrow::int32(), arrow::utf8());
  for (const char* symbols :
       {R"(["IBM", "IBM", "AAPL"])", R"(["MSFT", "IBM", "AAPL"])", R"(["AAPL", "AAPL", "AAPL"])"}) {
    ASSERT_TRUE(
        writer->Put(testing::With(Trades(3), "symbol", testing::FromJson(type, symbols))).ok());
  }
  ASSERT_TRUE(writer->Close(seconds(30)).ok());
  const auto stored = testing::ReadPlainly(subject_)->GetColumnByName("symbol");
  std::string joined;
  for (std::int64_t row = 0; row < stored->length(); ++row) {
    const auto value = stored->GetScalar(row).ValueOrDie();
    joined += value->type->id() == arrow::Type::DICTIONARY
                  ? static_cast<const arrow::DictionaryScalar&>(*value)
                        .GetEncodedValue()
                        .ValueOrDie()
                        ->ToString()
                  : value->ToString();
    joined += " ";
  }
  EXPECT_EQ(joined, "IBM IBM AAPL MSFT IBM AAPL AAPL AAPL AAPL ");
}

TEST_F(TicksPutWriterTest, DictionariesTooLargeToBeOneAreSentOneByOne) {
  const auto writer = Writer();
  const auto type = arrow::dictionary(arrow::int8(), arrow::utf8());
  for (int half = 0; half < 2; ++half) {
    std::string symbols = "[";
    for (int symbol = 0; symbol < 100; ++symbol) {
      symbols += (symbol == 0 ? "\"S" : ", \"S") + std::to_string(half * 100 + symbol) + "\"";
    }
    ASSERT_TRUE(writer
                    ->Put(testing::With(Trades(100, half * 100), "symbol",
                                        testing::FromJson(type, symbols + "]")))
                    .ok());
  }
  const auto receipt = writer->Close(seconds(30));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->batches, 2);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 200));
}

TEST_F(TicksPutWriterTest, T4_ARestartedProducerGoesOnAndFencesItsPredecessor) {
  const auto first = Writer({.producer_id = "feed-1"});
  ASSERT_TRUE(first->Put(Trades(10)).ok());
  ASSERT_TRUE(first->Flush(seconds(30)).ok());

  const auto second = Writer({.producer_id = "feed-1"});
  EXPECT_EQ(second->producer().producer_id, "feed-1");
  EXPECT_THAT(second->producer().epoch, Gt(first->producer().epoch));
  EXPECT_EQ(second->producer().last_sequence, 1);
  ASSERT_TRUE(second->Put(Trades(10, 10)).ok());
  ASSERT_TRUE(second->Flush(seconds(30)).ok());

  (void)first->Put(Trades(1, 999));
  const auto fenced = first->Flush(seconds(30)).status();
  EXPECT_EQ(ReasonOf(fenced), "PRODUCER_FENCED") << fenced;
  EXPECT_EQ(GetErrorDetails(fenced)->code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 20));
}

TEST_F(TicksPutWriterTest, ARefusedMessageIsToldWithItsRowsAndNothingAfterItIsTaken) {
  const auto writer = Writer();
  ASSERT_TRUE(writer->Put(Trades(5)).ok());
  ASSERT_TRUE(writer->Flush(seconds(30)).ok());
  const auto bad = testing::FromJson(arrow::float64(), "[1, -2, 3, -4]");
  ASSERT_TRUE(writer->Put(testing::With(Trades(4, 5), "price", bad)).ok());
  const auto refused = writer->Flush(seconds(30)).status();
  EXPECT_EQ(ReasonOf(refused), "ROWS_REFUSED") << refused;
  const ErrorDetails* details = GetErrorDetails(refused);
  EXPECT_EQ(details->code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(details->domain, "tickmesh");
  ASSERT_FALSE(details->violations.empty());
  EXPECT_THAT(details->violations[0].field, HasSubstr("price"));
  EXPECT_FALSE(details->request_id.empty());
  EXPECT_EQ(writer->Put(Trades(1)), refused);
  EXPECT_EQ(writer->Close(seconds(30)).status(), refused);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 5));
}

TEST_F(TicksPutWriterTest, OtherColumnsAreRefusedAtOnceAndTheWriterGoesOn) {
  const auto writer = Writer();
  ASSERT_TRUE(writer->Put(Trades(5)).ok());
  const auto wide = testing::With(Trades(1), "size", testing::FromJson(arrow::int32(), "[1]"));
  const auto refused = writer->Put(wide);
  EXPECT_EQ(ReasonOf(refused), "WRONG_COLUMNS") << refused;
  EXPECT_EQ(ReasonOf(writer->Put(std::shared_ptr<arrow::RecordBatch>())), "INVALID_ARGUMENT");
  ASSERT_TRUE(writer->Put(Trades(0)).ok());
  EXPECT_EQ(writer->Close(seconds(30)).ValueOrDie().rows, 5);
}

TEST_F(TicksPutWriterTest, WhatIsNotThereIsNamedWhenTheWriterOpens) {
  const auto unknown = client_->OpenWriter({.dataset = "ticks.nobody"}).status();
  EXPECT_EQ(ReasonOf(unknown), "SUBJECT_NOT_FOUND") << unknown;
  for (const WriterOptions& wrong :
       {WriterOptions{}, WriterOptions{.dataset = subject_, .version = -1},
        WriterOptions{.dataset = subject_, .retry_time = seconds(-1)},
        WriterOptions{.dataset = subject_, .max_waiting_bytes = 0}}) {
    EXPECT_EQ(ReasonOf(client_->OpenWriter(wrong).status()), "INVALID_ARGUMENT");
  }
}

TEST_F(TicksPutWriterTest, AVersionThatIsNotThereIsToldByTheFirstMessage) {
  const auto writer = Writer({.version = 7});
  ASSERT_TRUE(writer->Put(Trades(5)).ok());
  EXPECT_EQ(ReasonOf(writer->Flush(seconds(30)).status()), "VERSION_NOT_FOUND");
}

TEST_F(TicksPutWriterTest, AWriterOutlivesItsClientAndMoves) {
  TickWriter moved(std::move(*Writer()));
  client_.reset();
  ASSERT_TRUE(moved.Put(Trades(5)).ok());
  TickWriter again(std::move(moved));
  EXPECT_EQ(again.Close(seconds(30)).ValueOrDie().rows, 5);
}

TEST_F(TicksPutWriterTest, AnUnusedWriterCloses) {
  EXPECT_EQ(Writer()->Close(seconds(5)).ValueOrDie().rows, 0);
}

}  // namespace
}  // namespace tickmesh
