#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <string>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/api.h"
#include "arrow/flight/types.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/hostile_store.h"
#include "tests/support/trades.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

namespace flight = arrow::flight;
namespace pb = api::tickstore::v1;

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Ge;
using ::testing::HasSubstr;
using testing::HostileStore;
using testing::Trades;

std::unique_ptr<TickWriter> Writer(const HostileStore& store,
                                   milliseconds retry_time = seconds(30)) {
  const auto client = TickClient::Connect(store.Here()).ValueOrDie();
  return client->OpenWriter({.dataset = "ticks.odd", .retry_time = retry_time}).ValueOrDie();
}

/// Read to the end and say what each message is answered with.
template <typename Say>
arrow::Status Answer(flight::FlightMessageReader* messages, flight::FlightMetadataWriter* answers,
                     const Say& say) {
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto chunk, messages->Next());
    if (chunk.data == nullptr) return arrow::Status::OK();
    pb::PutMetadata metadata;
    if (chunk.app_metadata != nullptr) {  // no bytes are a message without values
      metadata.ParseFromArray(chunk.app_metadata->data(),
                              static_cast<int>(chunk.app_metadata->size()));
    }
    ARROW_RETURN_NOT_OK(answers->WriteMetadata(*arrow::Buffer::FromString(say(metadata))));
  }
}

std::string Acknowledge(std::int64_t through, pb::AcknowledgementLevel state) {
  pb::PutAcknowledgement told;
  told.set_through_sequence(through);
  told.set_state(state);
  return told.SerializeAsString();
}

TEST(TickHostilePutTest, AnAcknowledgementThatIsNoneFailsTheWriter) {
  const HostileStore store({.put = [](auto* messages, auto* answers) {
    return Answer(messages, answers, [](const auto&) { return std::string(9, '\xff'); });
  }});
  const auto writer = Writer(store);
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  const auto failed = writer->Flush(seconds(30)).status();
  EXPECT_EQ(ReasonOf(failed), "MALFORMED_DATA") << failed;
  EXPECT_EQ(ReasonOf(writer->Put(Trades(1))), "MALFORMED_DATA");
}

TEST(TickHostilePutTest, AnUploadIsNotSuccessfulByAnAcknowledgementThatIsNone) {
  const HostileStore store({.put = [](auto* messages, auto* answers) {
    return Answer(messages, answers, [](const auto&) { return std::string(9, '\xff'); });
  }});
  const auto client = TickClient::Connect(store.Here()).ValueOrDie();
  EXPECT_EQ(ReasonOf(client->Put("ticks.odd", *testing::TradesTable(10, 5)).status()),
            "MALFORMED_DATA");
}

TEST(TickHostilePutTest, SequencesThatWereNeverSentAcknowledgeNothingMore) {
  const HostileStore store({.put = [](auto* messages, auto* answers) {
    return Answer(messages, answers, [](const pb::PutMetadata& metadata) {
      return Acknowledge(metadata.sequence() % 2 == 1 ? std::numeric_limits<std::int64_t>::max()
                                                      : std::numeric_limits<std::int64_t>::min(),
                         pb::ACKNOWLEDGEMENT_LEVEL_DURABLE);
    });
  }});
  const auto writer = Writer(store);
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  ASSERT_TRUE(writer->Flush(seconds(30)).ok());
  EXPECT_EQ(writer->receipt().batches, 1);
  EXPECT_EQ(writer->receipt().rows, 10);
  ASSERT_TRUE(writer->Put(Trades(5)).ok());
  EXPECT_EQ(ReasonOf(writer->Flush(milliseconds(200)).status()), "DEADLINE_EXCEEDED");
  EXPECT_EQ(writer->lag_rows(), 5);
}

TEST(TickHostilePutTest, AStreamThatEndsWithoutAReasonIsOpenedAgainUntilTheRetryTimeIsOver) {
  std::atomic<int> streams = 0;
  const HostileStore store({.put = [&](auto* /*messages*/, auto* /*answers*/) {
    ++streams;
    return arrow::Status::OK();
  }});
  const auto writer = Writer(store, seconds(5));
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  const auto failed = writer->Flush(seconds(60)).status();
  EXPECT_EQ(ReasonOf(failed), "STREAM_ENDED") << failed;
  EXPECT_THAT(streams, Ge(3));
}

TEST(TickHostilePutTest, AFailureWithoutAStatusOfOursIsNotTriedAgain) {
  std::atomic<int> streams = 0;
  const HostileStore store({.put = [&](auto* /*messages*/, auto* /*answers*/) {
    ++streams;
    return arrow::Status::UnknownError("it broke");
  }});
  const auto writer = Writer(store);
  ASSERT_TRUE(writer->Put(Trades(10)).ok());
  const auto failed = writer->Flush(seconds(30)).status();
  ASSERT_NE(GetErrorDetails(failed), nullptr) << failed;
  EXPECT_THAT(failed.message(), HasSubstr("it broke"));
  EXPECT_EQ(streams, 1);
}

TEST(TickHostilePutTest, T4_WhatIsSentAgainHasTheSequencesItHad) {
  // The first stream takes messages and says nothing; then the store takes no more of it.
  std::atomic<int> streams = 0;
  std::atomic<std::int64_t> first_again = 0;
  const HostileStore store({.put = [&](auto* messages, auto* answers) {
    if (++streams == 1) {
      ARROW_RETURN_NOT_OK(messages->Next().status());
      ARROW_RETURN_NOT_OK(answers->WriteMetadata(
          *arrow::Buffer::FromString(Acknowledge(0, pb::ACKNOWLEDGEMENT_LEVEL_UNSPECIFIED))));
      return flight::MakeFlightError(flight::FlightStatusCode::Unavailable, "going down");
    }
    return Answer(messages, answers, [&](const pb::PutMetadata& metadata) {
      std::int64_t none = 0;
      first_again.compare_exchange_strong(none, metadata.sequence());
      return Acknowledge(metadata.sequence(), pb::ACKNOWLEDGEMENT_LEVEL_DURABLE);
    });
  }});
  const auto writer = Writer(store);
  for (int put = 0; put < 10; ++put) ASSERT_TRUE(writer->Put(Trades(10, put)).ok());
  const auto receipt = writer->Close(seconds(30));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->rows, 100);
  EXPECT_EQ(first_again, 1);
  EXPECT_EQ(streams, 2);
}

}  // namespace
}  // namespace tickmesh
