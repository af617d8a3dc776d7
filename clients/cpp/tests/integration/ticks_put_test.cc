#include <chrono>
#include <limits>
#include <memory>
#include <string>
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
using testing::FromJson;
using ::testing::Gt;
using ::testing::HasSubstr;
using testing::StoredSizes;
using testing::Trades;
using testing::TradesTable;

class TicksPutTest : public ::testing::Test {
 protected:
  void SetUp() override { testing::RegisterSchema(subject_, testing::TradesSchema()); }

  arrow::Result<PutReceipt> Put(std::vector<std::shared_ptr<arrow::RecordBatch>> batches,
                                const PutOptions& options = {}) {
    const auto reader =
        arrow::RecordBatchReader::Make(batches, batches.front()->schema()).ValueOrDie();
    return client_->Put(subject_, reader.get(), options);
  }

  const std::string subject_ = testing::FreshSubject();
  std::unique_ptr<TickClient> client_ = TickClient::Connect(testing::ToServers()).ValueOrDie();
};

TEST_F(TicksPutTest, WhatIsPutIsDurableAndReadBackByPlainFlight) {
  const auto receipt = client_->Put(subject_, *TradesTable(200'000, 70'000));
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->rows, 200'000);
  EXPECT_THAT(receipt->batches, Gt(3));  // cut to messages
  EXPECT_EQ(receipt->duplicates, 0);
  EXPECT_THAT(receipt->dataset_revision, Gt(0));
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 200'000));
  const auto again = client_->Put(subject_, *TradesTable(10, 10, 200'000));
  EXPECT_THAT(again.ValueOrDie().dataset_revision, Gt(receipt->dataset_revision));
}

TEST_F(TicksPutTest, NoRowsAreJudgedByTheirColumns) {
  const auto empty = client_->Put(subject_, *TradesTable(0, 1));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->rows, 0);
  const auto wrong = arrow::Table::MakeEmpty(arrow::schema({arrow::field("x", arrow::int64())}));
  EXPECT_EQ(ReasonOf(client_->Put(subject_, **wrong).status()), "WRONG_COLUMNS");
  // Batches without rows among others are none.
  const auto mixed = Put({Trades(0), Trades(3), Trades(0), Trades(2, 3), Trades(0)});
  EXPECT_EQ(mixed.ValueOrDie().rows, 5);
  EXPECT_EQ(StoredSizes(subject_), CountingFrom(0, 5));
}

TEST_F(TicksPutTest, T3_ABadRowAnywhereStoresNothing) {
  const auto bad = testing::With(Trades(2, 20), "price", FromJson(arrow::float64(), "[1, -1]"));
  const auto refused = Put({Trades(10), Trades(10, 10), bad}).status();
  EXPECT_EQ(ReasonOf(refused), "ROWS_REFUSED") << refused;
  const ErrorDetails* details = GetErrorDetails(refused);
  EXPECT_EQ(details->code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(details->retryable());
  ASSERT_FALSE(details->violations.empty());
  EXPECT_THAT(details->violations[0].field, HasSubstr("price"));
  EXPECT_TRUE(StoredSizes(subject_).empty());
}

/// A reader that fails behind its first batches.
class FailingReader final : public arrow::RecordBatchReader {
 public:
  std::shared_ptr<arrow::Schema> schema() const override { return Trades(0)->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    if (++reads_ > 3) return arrow::Status::IOError("the disk is gone");
    *batch = Trades(10, reads_ * 10);
    return arrow::Status::OK();
  }

 private:
  int reads_ = 0;
};

TEST_F(TicksPutTest, T3_AReaderThatFailsStoresNothing) {
  FailingReader reader;
  const auto failed = client_->Put(subject_, &reader).status();
  EXPECT_EQ(ReasonOf(failed), "DATA_UNREADABLE");
  EXPECT_THAT(failed.message(), HasSubstr("the disk is gone"));
  EXPECT_TRUE(StoredSizes(subject_).empty());
}

TEST_F(TicksPutTest, WrongColumnsAreNamed) {
  const auto batch = Trades(2);
  const auto text = testing::With(batch, "price", FromJson(arrow::utf8(), R"(["1", "2"])"));
  const auto naive =
      testing::With(batch, "ts", FromJson(arrow::timestamp(arrow::TimeUnit::NANO), "[1, 2]"));
  const auto more = batch->AddColumn(4, "mystery", batch->column(3)).ValueOrDie();
  const auto fewer = batch->RemoveColumn(2).ValueOrDie();
  struct Case {
    std::shared_ptr<arrow::RecordBatch> batch;
    std::string reason;
    std::string named;
  };
  for (const Case& each :
       {Case{text, "WRONG_COLUMNS", "price"}, Case{naive, "NAIVE_TIMESTAMP", "ts"},
        Case{more, "WRONG_COLUMNS", "mystery"}, Case{fewer, "WRONG_COLUMNS", "price"}}) {
    const auto refused = Put({each.batch}).status();
    EXPECT_EQ(ReasonOf(refused), each.reason) << refused;
    EXPECT_THAT(refused.ToString(), HasSubstr(each.named));
  }
  EXPECT_TRUE(StoredSizes(subject_).empty());
}

TEST_F(TicksPutTest, WhatTheRegistryDoesNotKnowIsNamed) {
  const auto subject = client_->Put("ticks.nobody", *TradesTable(1, 1)).status();
  EXPECT_EQ(ReasonOf(subject), "SUBJECT_NOT_FOUND") << subject;
  EXPECT_EQ(GetErrorDetails(subject)->code, ErrorCode::kNotFound);
  const auto version = Put({Trades(1)}, {.version = 9}).status();
  EXPECT_EQ(ReasonOf(version), "VERSION_NOT_FOUND") << version;
  EXPECT_EQ(ReasonOf(Put({Trades(1)}, {.version = -1}).status()), "INVALID_ARGUMENT");
  EXPECT_EQ(ReasonOf(client_->Put("", *TradesTable(1, 1)).status()), "INVALID_ARGUMENT");
}

TEST_F(TicksPutTest, RowsAreJudgedUnderTheVersionTheyWereMadeFor) {
  testing::RegisterSchema(subject_, testing::TradesSchema("fee"));
  const auto batch = Trades(2);
  const auto with_fee =
      batch->AddColumn(4, "fee", FromJson(arrow::float64(), "[0.5, null]")).ValueOrDie();
  EXPECT_EQ(ReasonOf(Put({with_fee}, {.version = 1}).status()), "WRONG_COLUMNS");
  EXPECT_TRUE(Put({with_fee}, {.version = 2}).ok());
  EXPECT_TRUE(Put({batch}, {.version = 1}).ok());
}

TEST_F(TicksPutTest, ARowLargerThanAMessageIsRefusedHere) {
  const std::string text(17 * 1024 * 1024, 'x');
  arrow::StringBuilder symbols;
  ASSERT_TRUE(symbols.Append(text).ok());
  const auto huge = testing::With(Trades(1), "symbol", symbols.Finish().ValueOrDie());
  EXPECT_EQ(ReasonOf(Put({huge}).status()), "MESSAGE_TOO_LARGE");
  EXPECT_TRUE(StoredSizes(subject_).empty());
}

TEST(TicksPutTypesTest, T6_EveryTypeComesBackEqualAtItsEdges) {
  const std::string subject = testing::FreshSubject("ticks.edges");
  testing::RegisterSchema(subject, R"json({
    "type": "object",
    "properties": {
      "ts": {"type": "string", "format": "date-time"},
      "id": {"type": "integer", "arrow": "uint64"},
      "small": {"type": "integer", "arrow": "int8"},
      "amount": {"type": "number", "arrow": "decimal128(38, 4)"},
      "price": {"type": "number"},
      "symbol": {"type": "string", "arrow": "dictionary<int32, utf8>"},
      "note": {"type": "string"},
      "flag": {"type": ["boolean", "null"]},
      "day": {"type": "string", "format": "date"},
      "levels": {"type": "array", "items": {"type": "number"}}
    }})json");
  const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>> columns = {
      {"ts", FromJson(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"),
                      "[-9223372036854775807, null, 1723123800123456789]")},
      {"id", FromJson(arrow::uint64(), "[18446744073709551615, 0, null]")},
      {"small", FromJson(arrow::int8(), "[-128, 127, null]")},
      {"amount", FromJson(arrow::decimal128(38, 4),
                          R"(["9999999999999999999999999999999999.9999", null, "-0.0001"])")},
      {"price", FromJson(arrow::float64(), "[1e-308, -0.0, null]")},
      {"symbol",
       FromJson(arrow::dictionary(arrow::int32(), arrow::utf8()), R"(["IBM", null, "Zürich"])")},
      {"note", FromJson(arrow::utf8(), R"(["", null, "Zürich \u20ac"])")},
      {"flag", FromJson(arrow::boolean(), "[true, null, false]")},
      {"day", FromJson(arrow::date32(), "[0, -1, 20000]")},
      {"levels", FromJson(arrow::list(arrow::field("item", arrow::float64(), false)),
                          "[[1.5, -0.0], [], null]")},
  };
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const auto& [name, column] : columns) {
    fields.push_back(arrow::field(name, column->type()));
    arrays.push_back(column);
  }
  const auto batch = arrow::RecordBatch::Make(arrow::schema(fields), 3, arrays);
  const auto client = TickClient::Connect(testing::ToServers()).ValueOrDie();
  const auto put = client->Put(subject, *arrow::Table::FromRecordBatches({batch}).ValueOrDie());
  ASSERT_TRUE(put.ok()) << put.status();
  const auto writer = client->OpenWriter({.dataset = subject}).ValueOrDie();
  ASSERT_TRUE(writer->Put(batch).ok());
  ASSERT_TRUE(writer->Close(seconds(30)).ok());

  const auto stored = testing::ReadPlainly(subject);
  ASSERT_EQ(stored->num_rows(), 6);
  for (const auto& [name, column] : columns) {
    const auto back = stored->GetColumnByName(name);
    for (std::int64_t row = 0; row < 6; ++row) {
      const auto sent = column->GetScalar(row % 3).ValueOrDie();
      // By their text, in which no digit is lost: what is inside a list or dictionary is named as
      // the projection names it.
      EXPECT_EQ(back->GetScalar(row).ValueOrDie()->ToString(), sent->ToString())
          << name << ", row " << row;
    }
  }
}

TEST(TlsTicksPutTest, PutsAndWritersSpeakTls) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = TickClient::Connect(testing::WithTls()).ValueOrDie();
  const auto put = client->Put(subject, *TradesTable(10, 10));
  ASSERT_TRUE(put.ok()) << put.status();
  const auto writer = client->OpenWriter({.dataset = subject}).ValueOrDie();
  ASSERT_TRUE(writer->Put(Trades(10, 10)).ok());
  ASSERT_TRUE(writer->Close(seconds(30)).ok());
  EXPECT_EQ(StoredSizes(subject), CountingFrom(0, 20));
}

TEST(TlsTicksPutTest, PlainTextToAServerWithTlsIsSaidSo) {
  const auto client = TickClient::Connect(testing::ToServers()).ValueOrDie();
  const auto put = client->Put("ticks.nobody", *TradesTable(1, 1)).status();
  EXPECT_EQ(ReasonOf(put), "TLS_HANDSHAKE_FAILED") << put;
  EXPECT_THAT(put.message(), HasSubstr("tls.root_certificates"));
}

}  // namespace
}  // namespace tickmesh
