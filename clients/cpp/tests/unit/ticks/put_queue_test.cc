#include "ticks/put_queue.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "arrow/api.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ticks/put_batches.h"

namespace tickmesh::internal {
namespace {

using Clock = std::chrono::steady_clock;

std::shared_ptr<arrow::RecordBatch> Rows(std::int64_t rows, std::int64_t first = 0) {
  arrow::Int64Builder numbers;
  for (std::int64_t row = 0; row < rows; ++row) EXPECT_TRUE(numbers.Append(first + row).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("n", arrow::int64())}), rows,
                                  {numbers.Finish().ValueOrDie()});
}

std::shared_ptr<arrow::RecordBatch> Symbols(const std::shared_ptr<arrow::DataType>& indices,
                                            int first, int count) {
  arrow::StringBuilder names;
  arrow::Int8Builder places;
  for (int symbol = 0; symbol < count; ++symbol) {
    EXPECT_TRUE(names.Append("S" + std::to_string(first + symbol)).ok());
    EXPECT_TRUE(places.Append(static_cast<std::int8_t>(symbol)).ok());
  }
  const auto type = arrow::dictionary(indices, arrow::utf8());
  const auto column = arrow::DictionaryArray::FromArrays(type, places.Finish().ValueOrDie(),
                                                         names.Finish().ValueOrDie())
                          .ValueOrDie();
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("s", type)}), count, {column});
}

void Add(PutQueue* queue, std::int64_t rows, std::int64_t bytes = 100,
         Clock::time_point since = {}) {
  queue->Add({.batch = Rows(rows), .bytes = bytes, .since = since});
}

TEST(PutQueueTest, SequencesAreDenseFromTheOneAfterTheProducersLast) {
  PutQueue queue(41, 1'000);
  EXPECT_FALSE(queue.HasUnsent());
  EXPECT_EQ(queue.TakeNext(), nullptr);
  for (std::int64_t expected = 42; expected < 45; ++expected) {
    Add(&queue, 1);
    EXPECT_TRUE(queue.HasUnsent());
    EXPECT_EQ(queue.TakeNext()->sequence, expected);
    EXPECT_FALSE(queue.HasUnsent());
  }
}

TEST(PutQueueTest, WhatWaitsIsJoinedUpToTheRowsOfAMessage) {
  PutQueue queue(0, 1 << 30);
  Add(&queue, 30'000);
  Add(&queue, 30'000);
  Add(&queue, kMaxMessageRows - 60'000);  // just fits
  Add(&queue, 1);
  const auto first = queue.TakeNext();
  EXPECT_EQ(first->parts.size(), 3U);
  EXPECT_EQ(first->rows, kMaxMessageRows);
  EXPECT_EQ(queue.TakeNext()->rows, 1);
}

TEST(PutQueueTest, WhatWaitsIsJoinedUpToTheBytesOfAMessage) {
  PutQueue queue(0, 1 << 30);
  Add(&queue, 1, kMaxMessageBytes - 100);
  Add(&queue, 1, 100);
  Add(&queue, 1, kMaxMessageBytes + 5);  // larger alone, as a row may be
  Add(&queue, 1, 1);
  EXPECT_EQ(queue.TakeNext()->bytes, kMaxMessageBytes);
  EXPECT_EQ(queue.TakeNext()->bytes, kMaxMessageBytes + 5);
  EXPECT_EQ(queue.TakeNext()->bytes, 1);
}

TEST(PutQueueTest, AnAcknowledgementFreesEverythingThroughItsSequence) {
  PutQueue queue(10, 1'000);
  for (int part = 0; part < 3; ++part) {
    Add(&queue, 5, 300);
    queue.TakeNext();
  }
  EXPECT_EQ(queue.held_rows(), 15);
  EXPECT_EQ(queue.held_bytes(), 900);
  EXPECT_TRUE(queue.Acknowledge(12));
  EXPECT_EQ(queue.held_rows(), 5);
  EXPECT_EQ(queue.held_bytes(), 300);
  EXPECT_EQ(queue.rows_acknowledged(), 10);
  EXPECT_EQ(queue.messages_acknowledged(), 2);
  EXPECT_FALSE(queue.Acknowledge(12)) << "told again";
  EXPECT_FALSE(queue.Acknowledge(11)) << "told late";
  // A store that acknowledges what was never sent makes nothing of it.
  EXPECT_TRUE(queue.Acknowledge(1'000'000));
  EXPECT_EQ(queue.messages_acknowledged(), 3);
  EXPECT_FALSE(queue.HasUnacknowledged());
  Add(&queue, 1);
  EXPECT_EQ(queue.TakeNext()->sequence, 14);
}

TEST(PutQueueTest, T4_ANewStreamSendsTheSameMessagesUnderTheSameSequencesAgain) {
  PutQueue queue(0, 1'000);
  std::vector<std::shared_ptr<PutMessage>> sent;
  for (int part = 0; part < 3; ++part) {
    Add(&queue, 1);
    sent.push_back(queue.TakeNext());
  }
  queue.Acknowledge(1);
  Add(&queue, 1);
  queue.SendAgain();
  EXPECT_EQ(queue.TakeNext(), sent[1]);
  EXPECT_EQ(queue.TakeNext(), sent[2]);
  EXPECT_EQ(queue.TakeNext()->sequence, 4);
  EXPECT_EQ(queue.TakeNext(), nullptr);
}

TEST(PutQueueTest, WhatIsAcknowledgedWhileItIsSentAgainIsPassedOver) {
  PutQueue queue(0, 1'000);
  for (int part = 0; part < 4; ++part) {
    Add(&queue, 1);
    queue.TakeNext();
  }
  queue.SendAgain();
  EXPECT_EQ(queue.TakeNext()->sequence, 1);
  queue.Acknowledge(3);  // duplicates are told together
  EXPECT_EQ(queue.TakeNext()->sequence, 4);
  queue.Acknowledge(4);
  queue.SendAgain();
  EXPECT_FALSE(queue.HasUnsent());
}

TEST(PutQueueTest, T11_ThereIsRoomUpToTheBoundAndForOnePartLargerThanIt) {
  PutQueue queue(0, 1'000);
  EXPECT_TRUE(queue.HasRoomFor(5'000));
  Add(&queue, 1, 400);
  EXPECT_TRUE(queue.HasRoomFor(600));
  EXPECT_FALSE(queue.HasRoomFor(601));
  queue.TakeNext();
  EXPECT_FALSE(queue.HasRoomFor(601)) << "what is sent is held until it is acknowledged";
  queue.Acknowledge(1);
  EXPECT_TRUE(queue.HasRoomFor(5'000));
}

TEST(PutQueueTest, TheOldestRowsHeldSetTheLag) {
  const auto at = [](int second) { return Clock::time_point(std::chrono::seconds(second)); };
  PutQueue queue(0, 1'000);
  EXPECT_EQ(queue.OldestSince(at(9)), at(9));
  Add(&queue, 1, 1, at(1));
  Add(&queue, 1, 1, at(2));
  EXPECT_EQ(queue.OldestSince(at(9)), at(1));
  queue.TakeNext();
  Add(&queue, 1, 1, at(3));
  EXPECT_EQ(queue.OldestSince(at(9)), at(1)) << "sent is not acknowledged";
  queue.Acknowledge(1);
  EXPECT_EQ(queue.OldestSince(at(9)), at(3));
}

TEST(PutQueueTest, PartsThatCannotBeOneWaitAgainInTheirOrder) {
  PutQueue queue(0, 1'000);
  for (std::int64_t rows : {1, 2, 3}) Add(&queue, rows, rows * 10);
  const auto message = queue.TakeNext();
  queue.KeepFirstPart(message);
  EXPECT_EQ(message->rows, 1);
  EXPECT_EQ(message->bytes, 10);
  queue.Acknowledge(1);
  EXPECT_EQ(queue.held_rows(), 5);
  const auto rest = queue.TakeNext();
  EXPECT_EQ(rest->sequence, 2);
  EXPECT_EQ(rest->parts[0].batch->num_rows(), 2);
  EXPECT_EQ(rest->parts[1].batch->num_rows(), 3);
  queue.Acknowledge(2);
  EXPECT_EQ(queue.held_bytes(), 0);
}

TEST(JoinedTest, OnePartIsNotCopied) {
  const auto batch = Rows(3);
  EXPECT_EQ(Joined({{.batch = batch}}).ValueOrDie(), batch);
}

TEST(JoinedTest, PartsComeInTheirOrder) {
  const auto joined = Joined({{.batch = Rows(2)}, {.batch = Rows(3, 2)}}).ValueOrDie();
  EXPECT_TRUE(joined->Equals(*Rows(5)));
}

TEST(JoinedTest, DictionariesThatDifferAreUnified) {
  const auto joined =
      Joined({{.batch = Symbols(arrow::int8(), 0, 2)}, {.batch = Symbols(arrow::int8(), 1, 2)}});
  ASSERT_TRUE(joined.ok()) << joined.status();
  const auto& column = static_cast<const arrow::DictionaryArray&>(*(*joined)->column(0));
  EXPECT_EQ(column.dictionary()->length(), 3);
  ASSERT_TRUE((*joined)->ValidateFull().ok());
}

TEST(JoinedTest, DictionariesThatDoNotFitTheirIndicesAreToldApart) {
  const auto joined = Joined(
      {{.batch = Symbols(arrow::int8(), 0, 100)}, {.batch = Symbols(arrow::int8(), 100, 100)}});
  EXPECT_FALSE(joined.ok());
}

}  // namespace
}  // namespace tickmesh::internal
