#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tickmesh/api/tickstore/v1/tick_store_service.grpc.pb.h"

#include "arrow/api.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/stored_trades.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

namespace wire = api::tickstore::v1;

using testing::Counted;
using testing::Decoded;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Integers;
using testing::NotedTrades;
using testing::PutPlainly;
using testing::StoredTrades;

class TickReadTest : public ::testing::Test {
 protected:
  std::shared_ptr<arrow::Table> Read(const ReadOptions& options) {
    auto table = client_->Read(options);
    EXPECT_TRUE(table.ok()) << table.status().ToString();
    if (!table.ok()) return nullptr;
    EXPECT_TRUE((*table)->ValidateFull().ok());
    return *table;
  }

  /// What a read is refused with.
  ErrorDetails Refusal(const ReadOptions& options) {
    const auto table = client_->Read(options);
    EXPECT_FALSE(table.ok());
    const ErrorDetails* details = GetErrorDetails(table.status());
    EXPECT_NE(details, nullptr) << table.status().ToString();
    // A stream is refused alike.
    EXPECT_EQ(ReasonOf(client_->Stream(options).status()), details->reason);
    return details == nullptr ? ErrorDetails{} : *details;
  }

  std::vector<std::int64_t> Sizes(const ReadOptions& options) {
    const auto table = Read(options);
    return table == nullptr ? std::vector<std::int64_t>() : Integers(*table, "size");
  }

  wire::Dataset Dataset(const std::string& name) {
    grpc::ClientContext context;
    wire::GetDatasetRequest request;
    request.set_dataset(name);
    wire::GetDatasetResponse response;
    EXPECT_TRUE(control_->GetDataset(&context, request, &response).ok());
    return response.dataset();
  }

  std::unique_ptr<TickClient> client_ = *TickClient::Connect(testing::ToServers());
  std::unique_ptr<wire::TickStoreService::Stub> control_ = wire::TickStoreService::NewStub(
      grpc::CreateChannel(testing::ToServers().tickstore, grpc::InsecureChannelCredentials()));
};

TEST_F(TickReadTest, T6RowsComeBackAsTheyWerePut) {
  const std::string subject = StoredTrades(1'000);
  const auto table = Read({.dataset = subject});
  ASSERT_NE(table, nullptr);
  EXPECT_TRUE(Decoded(*table)->Equals(*Decoded(*NotedTrades(1'000))));
  EXPECT_EQ(table->schema()->GetFieldByName("symbol")->type()->id(), arrow::Type::DICTIONARY);
  EXPECT_TRUE(table->schema()->GetFieldByName("ts")->type()->Equals(
      arrow::timestamp(arrow::TimeUnit::NANO, "UTC")));
  EXPECT_EQ(table->schema()->metadata()->Get("tickmesh.subject").ValueOrDie(), subject);
}

TEST_F(TickReadTest, AReadOfManyEndpointsIsInTheOrderOfArrivalHoweverManyConnectionsItTakes) {
  const std::int64_t rows = 1'000'000;
  const std::string subject = StoredTrades(rows);
  for (const int parallelism : {1, 2, 5}) {
    EXPECT_EQ(Sizes({.dataset = subject, .parallelism = parallelism}), Counted(0, rows));
  }
}

TEST_F(TickReadTest, RangesAreHalfOpen) {
  const std::string subject = StoredTrades(100);
  EXPECT_EQ(Sizes({.dataset = subject, .start_ns = 10'000, .end_ns = 20'000}), Counted(10, 20));
  EXPECT_EQ(Sizes({.dataset = subject, .start_ns = 90'000}), Counted(90, 100));
  EXPECT_EQ(Sizes({.dataset = subject, .end_ns = 5'001}), Counted(0, 6));
  EXPECT_THAT(Sizes({.dataset = subject, .start_ns = 7, .end_ns = 7}), ElementsAre());
}

TEST_F(TickReadTest, SymbolsColumnsAndLimitChooseAndKeepTheirOrder) {
  const std::string subject = StoredTrades(9);
  EXPECT_THAT(Sizes({.dataset = subject, .symbols = {"MSFT"}}), ElementsAre(2, 5, 8));
  EXPECT_THAT(Sizes({.dataset = subject, .symbols = {"AAPL", "MSFT"}, .limit = 3}),
              ElementsAre(0, 2, 3));
  const auto table = Read({.dataset = subject, .columns = {"size", "ts"}});
  ASSERT_NE(table, nullptr);
  EXPECT_THAT(table->ColumnNames(), ElementsAre("size", "ts"));
}

TEST_F(TickReadTest, AConditionChoosesRowsInTheStore) {
  const std::string subject = StoredTrades(12);
  EXPECT_THAT(Sizes({.dataset = subject, .where = Col("symbol") == "IBM" && Col("price") > 5.0}),
              ElementsAre(7, 10));
  EXPECT_THAT(Sizes({.dataset = subject,
                     .where = Col("size").IsIn({1, 3, 30}) || Col("ts") >= Instant{11'000}}),
              ElementsAre(1, 3, 11));
  EXPECT_THAT(Sizes({.dataset = subject, .where = !Col("note").IsNull() && Col("size") < 5}),
              ElementsAre(0, 2, 4));
  EXPECT_EQ(Refusal({.dataset = subject, .where = Col("price") == "dear"}).code,
            ErrorCode::kInvalidArgument);
}

TEST_F(TickReadTest, OrderIsThatOfArrivalOrOfEventTime) {
  const std::string subject = StoredTrades(3);
  PutPlainly(subject, *NotedTrades(5, 10));
  PutPlainly(subject, *NotedTrades(5, 3));
  EXPECT_THAT(Sizes({.dataset = subject}), ElementsAre(0, 1, 2, 10, 11, 12, 13, 14, 3, 4, 5, 6, 7));
  EXPECT_THAT(Sizes({.dataset = subject, .order = ReadOrder::kTime}),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14));
}

TEST_F(TickReadTest, T7AReadAsOfARevisionOrSnapshotDoesNotSeeWhatCameLater) {
  const std::string subject = StoredTrades(10);
  const std::int64_t revision = Dataset(subject).revision();
  grpc::ClientContext context;
  wire::CreateSnapshotRequest request;
  request.set_snapshot(subject + ".then");
  request.add_datasets(subject);
  wire::CreateSnapshotResponse response;
  ASSERT_TRUE(control_->CreateSnapshot(&context, request, &response).ok());
  PutPlainly(subject, *NotedTrades(5, 10));
  EXPECT_EQ(Sizes({.dataset = subject}), Counted(0, 15));
  EXPECT_EQ(Sizes({.dataset = subject, .as_of_revision = revision}), Counted(0, 10));
  EXPECT_EQ(Sizes({.dataset = subject, .snapshot = request.snapshot()}), Counted(0, 10));
}

TEST_F(TickReadTest, T5StampsSayUnderWhichVersionAndInWhichRevisionARowCame) {
  const std::string subject = StoredTrades(2);
  PutPlainly(subject, *NotedTrades(1, 2));
  const auto table = Read({.dataset = subject, .columns = {"size"}, .stamps = true});
  ASSERT_NE(table, nullptr);
  EXPECT_THAT(table->ColumnNames(), ElementsAre("size", "_schema_version", "_ingest_time",
                                                "_dataset_revision", "_producer_id", "_sequence"));
  const auto revisions = Integers(*table, "_dataset_revision");
  EXPECT_EQ(revisions[0], revisions[1]);
  EXPECT_LT(revisions[1], revisions[2]);
}

TEST_F(TickReadTest, T9RowsComeUnderTheReaderVersionAskedFor) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  PutPlainly(subject, *NotedTrades(3)->SelectColumns({0, 1, 2, 3}).ValueOrDie());
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  EXPECT_EQ(Read({.dataset = subject, .version = 1})->num_columns(), 4);
  const auto evolved = Read({.dataset = subject, .version = 2});
  ASSERT_NE(evolved->GetColumnByName("fee"), nullptr);
  EXPECT_EQ(evolved->GetColumnByName("fee")->null_count(), 3);
  EXPECT_EQ(Refusal({.dataset = subject, .version = 3}).reason, "VERSION_NOT_FOUND");
}

TEST_F(TickReadTest, ADatasetWithoutRowsIsATableWithoutRows) {
  const std::string subject = StoredTrades(5);
  const auto table = Read({.dataset = subject, .symbols = {"NOBODY"}});
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->num_rows(), 0);
  EXPECT_EQ(table->num_columns(), 5);
}

TEST_F(TickReadTest, ARefusalHasTheStoresReason) {
  const std::string subject = StoredTrades(5);
  const ErrorDetails missing = Refusal({.dataset = "ticks.nobody"});
  EXPECT_EQ(missing.code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.reason, "DATASET_NOT_FOUND");
  const ErrorDetails later = Refusal({.dataset = subject, .as_of_revision = 1'000'000});
  EXPECT_EQ(later.code, ErrorCode::kOutOfRange);
  EXPECT_EQ(later.reason, "REVISION_OUT_OF_RANGE");
  EXPECT_EQ(Refusal({.dataset = subject, .snapshot = "none"}).reason, "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Refusal({.dataset = subject, .columns = {"nothing"}}).code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refusal({.dataset = subject, .limit = -1}).reason, "INVALID_ARGUMENT");
}

TEST_F(TickReadTest, ARangeOfADatasetWithoutEventTimeIsRefused) {
  const std::string subject = testing::FreshSubject("plain.counts");
  testing::RegisterSchema(
      subject,
      R"({"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]})");
  arrow::Int64Builder builder;
  ASSERT_TRUE(builder.AppendValues({1, 2, 3}).ok());
  PutPlainly(subject, *arrow::Table::Make(arrow::schema({arrow::field("count", arrow::int64())}),
                                          {builder.Finish().ValueOrDie()}));
  EXPECT_EQ(Integers(*Read({.dataset = subject}), "count"), Counted(1, 4));
  const ErrorDetails refusal = Refusal({.dataset = subject, .start_ns = 1});
  EXPECT_EQ(refusal.code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(refusal.reason, "ROLE_MISSING");
}

TEST_F(TickReadTest, AGenerationIsReadByItself) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto trades = NotedTrades(3)->SelectColumns({0, 1, 2, 3}).ValueOrDie();
  PutPlainly(subject, *trades);
  std::string breaking = testing::TradesSchema();
  const std::string price = R"("price":{"exclusiveMinimum":0,"type":"number"})";
  const auto place = breaking.find(price);
  ASSERT_NE(place, std::string::npos) << breaking;
  breaking.replace(place, price.size(), R"("price":{"type":"string"})");
  testing::RegisterSchema(subject, breaking, {.allow_breaking = true});
  arrow::StringBuilder prices;
  ASSERT_TRUE(prices.AppendValues({"1", "2"}).ok());
  PutPlainly(subject,
             *NotedTrades(2, 3)
                  ->SelectColumns({0, 1, 2, 3})
                  .ValueOrDie()
                  ->SetColumn(2, arrow::field("price", arrow::utf8()),
                              std::make_shared<arrow::ChunkedArray>(prices.Finish().ValueOrDie()))
                  .ValueOrDie());
  EXPECT_EQ(Sizes({.dataset = subject, .generation = 1}), Counted(0, 3));
  EXPECT_EQ(Sizes({.dataset = subject, .generation = 2}), Counted(3, 5));
  const ErrorDetails refusal = Refusal({.dataset = subject});
  EXPECT_EQ(refusal.code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(refusal.reason, "GENERATION_NOT_READABLE");
}

TEST_F(TickReadTest, AStreamHandsOutTheRowsOfAReadAndOutlivesItsClient) {
  const std::int64_t rows = 700'000;
  const std::string subject = StoredTrades(rows);
  const auto stream = *client_->Stream({.dataset = subject});
  client_.reset();
  const auto table = stream->ToTable();
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_EQ(Integers(**table, "size"), Counted(0, rows));
  EXPECT_TRUE((*table)->schema()->Equals(*stream->schema()));
}

TEST_F(TickReadTest, AStreamMayBeDroppedAnywhere) {
  const std::string subject = StoredTrades(700'000);
  for (const int batches : {0, 1, 3}) {
    const auto stream = *client_->Stream({.dataset = subject, .parallelism = 3});
    std::shared_ptr<arrow::RecordBatch> batch;
    for (int taken = 0; taken < batches; ++taken) {
      ASSERT_TRUE(stream->ReadNext(&batch).ok());
      ASSERT_NE(batch, nullptr);
    }
  }
  const auto closed = *client_->Stream({.dataset = subject});
  ASSERT_TRUE(closed->Close().ok());
  std::shared_ptr<arrow::RecordBatch> batch;
  EXPECT_EQ(ReasonOf(closed->ReadNext(&batch)), "CLOSED");
  EXPECT_EQ(Sizes({.dataset = subject, .limit = 3}), Counted(0, 3));
}

}  // namespace
}  // namespace tickmesh
