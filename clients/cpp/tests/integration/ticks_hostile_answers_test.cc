#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/api.h"
#include "arrow/flight/server.h"
#include "gtest/gtest.h"
#include "tests/support/hostile_store.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

namespace flight = arrow::flight;
namespace wire = api::tickstore::v1;

using namespace std::chrono_literals;
using testing::HostileStore;
using testing::Hostility;
using testing::StoreError;

using Clock = std::chrono::steady_clock;

constexpr auto kGrace = 15s;

const std::shared_ptr<arrow::Schema>& Columns() {
  static const auto columns = arrow::schema({arrow::field("size", arrow::int64())});
  return columns;
}

std::shared_ptr<arrow::RecordBatch> Batch(std::int64_t rows) {
  arrow::Int64Builder builder;
  for (std::int64_t row = 0; row < rows; ++row) EXPECT_TRUE(builder.Append(row).ok());
  return arrow::RecordBatch::Make(Columns(), rows, {builder.Finish().ValueOrDie()});
}

/// A plan of so many endpoints.
arrow::Result<flight::FlightInfo> Plan(int endpoints) {
  std::vector<flight::FlightEndpoint> parts;
  for (int part = 0; part < endpoints; ++part) {
    parts.push_back({flight::Ticket{std::to_string(part)}, {}, std::nullopt, ""});
  }
  return flight::FlightInfo::Make(*Columns(), flight::FlightDescriptor(), parts, -1, -1);
}

std::unique_ptr<flight::FlightDataStream> Rows(const arrow::RecordBatchVector& batches,
                                               const std::shared_ptr<arrow::Schema>& schema) {
  return std::make_unique<flight::RecordBatchStream>(
      arrow::RecordBatchReader::Make(batches, schema).ValueOrDie());
}

/// How a read ends.
arrow::Status ReadOf(const Hostility& hostility) {
  const HostileStore store(hostility);
  const auto client = *TickClient::Connect(store.Here());
  const auto table = client->Read({.dataset = "ticks.trades"});
  EXPECT_FALSE(table.ok());
  return table.status();
}

/// How a stream of a tail ends whose store does this.
arrow::Status TailOf(const std::function<arrow::Status(flight::FlightMessageReader*,
                                                       flight::FlightMessageWriter*)>& once) {
  const HostileStore store({.exchange = [&](auto* reader, auto* writer) {
    // Grants are heard first: when one cannot be sent, Arrow reads no further.
    ARROW_RETURN_NOT_OK(reader->Next());
    return once(reader, writer);
  }});
  const auto client = *TickClient::Connect(store.Here());
  arrow::Status told;
  const auto tail =
      *client->Tail({.dataset = "ticks.trades", .on_interruption = [&](const auto& why) {
                       if (told.ok()) told = why;
                     }});
  const auto give_up = Clock::now() + 30s;
  while (told.ok() && Clock::now() < give_up) {
    const auto next = tail->Next(100ms);
    if (!next.ok()) return next.status();
  }
  return told;
}

std::shared_ptr<arrow::Buffer> Metadata(const std::string& position, bool heartbeat) {
  wire::TailMetadata metadata;
  metadata.set_position_token(position);
  metadata.set_heartbeat(heartbeat);
  return arrow::Buffer::FromString(metadata.SerializeAsString());
}

TEST(TickHostileReadTest, AnExpiredOrWrongTicketEndsAReadWithItsReason) {
  const auto expired = ReadOf({.plan = [] { return Plan(3); },
                               .get = [](const std::string& ticket)
                                   -> arrow::Result<std::unique_ptr<flight::FlightDataStream>> {
                                 if (ticket != "1") return Rows({Batch(5)}, Columns());
                                 return StoreError(9, "TICKET_EXPIRED", "The ticket has expired.");
                               }});
  EXPECT_EQ(ReasonOf(expired), "TICKET_EXPIRED");
  EXPECT_EQ(GetErrorDetails(expired)->code, ErrorCode::kFailedPrecondition);
  const auto wrong =
      ReadOf({.plan = [] { return Plan(1); },
              .get =
                  [](const std::string& /*ticket*/) {
                    return arrow::Result<std::unique_ptr<flight::FlightDataStream>>(StoreError(
                        7, "TICKET_INVALID", "The ticket was not signed by this store."));
                  }});
  EXPECT_EQ(ReasonOf(wrong), "TICKET_INVALID");
  EXPECT_EQ(GetErrorDetails(wrong)->code, ErrorCode::kPermissionDenied);
}

TEST(TickHostileReadTest, AGetThatNeverBeginsEndsAtItsDeadlineAndLeavesNoThreadBehind) {
  std::promise<void> end;
  std::shared_future<void> ended = end.get_future();
  const HostileStore store({.plan = [] { return Plan(4); },
                            .get =
                                [&](const std::string& /*ticket*/) {
                                  ended.wait();
                                  return arrow::Result<std::unique_ptr<flight::FlightDataStream>>(
                                      StoreError(13, "INTERNAL", "too late"));
                                }});
  const auto client = *TickClient::Connect(store.Here());
  const auto started = Clock::now();
  const auto table = client->Read({.dataset = "ticks.trades", .timeout = 500ms});
  EXPECT_EQ(ReasonOf(table.status()), "DEADLINE_EXCEEDED") << table.status().ToString();
  {
    const auto dropped = client->Stream({.dataset = "ticks.trades"});
  }
  EXPECT_LT(Clock::now() - started, kGrace);
  end.set_value();
}

TEST(TickHostileReadTest, OtherColumnsThanPromisedAreRefused) {
  const auto others = arrow::schema({arrow::field("size", arrow::utf8())});
  EXPECT_EQ(ReasonOf(ReadOf({.plan = [] { return Plan(1); },
                             .get =
                                 [&](const std::string& /*ticket*/) {
                                   return arrow::Result<std::unique_ptr<flight::FlightDataStream>>(
                                       Rows({}, others));
                                 }})),
            "MALFORMED_ANSWER");
}

TEST(TickHostileReadTest, APlanThatIsNoneIsRefused) {
  EXPECT_EQ(ReasonOf(ReadOf({.plan =
                                 [] {
                                   flight::FlightInfo::Data data;
                                   data.schema = "no schema";
                                   return arrow::Result<flight::FlightInfo>(
                                       flight::FlightInfo(std::move(data)));
                                 }})),
            "MALFORMED_ANSWER");
}

TEST(TickHostileTailTest, MetadataThatIsNoneEndsATail) {
  for (const std::string& garbage : {std::string("\xff\xff garbage"), std::string()}) {
    const arrow::Status ended = TailOf([&](auto* /*reader*/, auto* writer) {
      ARROW_RETURN_NOT_OK(writer->Begin(Columns()));
      return writer->WriteWithMetadata(*Batch(1), arrow::Buffer::FromString(garbage));
    });
    EXPECT_EQ(ReasonOf(ended), "MALFORMED_ANSWER") << ended.ToString();
    EXPECT_EQ(GetErrorDetails(ended)->code, ErrorCode::kDataLoss);
  }
}

TEST(TickHostileTailTest, RowsWithoutAPositionEndATail) {
  EXPECT_EQ(ReasonOf(TailOf([](auto* /*reader*/, auto* writer) {
              ARROW_RETURN_NOT_OK(writer->Begin(Columns()));
              return writer->WriteRecordBatch(*Batch(1));
            })),
            "MALFORMED_ANSWER");
}

TEST(TickHostileTailTest, AnEndThatIsNoFailureIsAnInterruption) {
  EXPECT_EQ(ReasonOf(TailOf([](auto* /*reader*/, auto* writer) {
              ARROW_RETURN_NOT_OK(writer->Begin(Columns()));
              return writer->WriteMetadata(Metadata("p", true));
            })),
            "STREAM_ENDED");
}

TEST(TickHostileTailTest, AnExpiredPositionEndsATail) {
  EXPECT_EQ(ReasonOf(TailOf([](auto* /*reader*/, auto* /*writer*/) {
              return StoreError(11, "POSITION_EXPIRED", "Rows behind the position were dropped.");
            })),
            "POSITION_EXPIRED");
}

}  // namespace
}  // namespace tickmesh
