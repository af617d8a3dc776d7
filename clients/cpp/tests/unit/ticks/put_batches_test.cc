#include "ticks/put_batches.h"

#include <memory>
#include <string>
#include <vector>

#include "arrow/api.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

using ::testing::Le;

/// One text of each size.
std::shared_ptr<arrow::RecordBatch> Texts(const std::vector<std::int64_t>& sizes) {
  arrow::StringBuilder texts;
  for (const std::int64_t size : sizes) {
    EXPECT_TRUE(texts.Append(std::string(static_cast<std::size_t>(size), 'x')).ok());
  }
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("t", arrow::utf8())}),
                                  static_cast<std::int64_t>(sizes.size()),
                                  {texts.Finish().ValueOrDie()});
}

std::shared_ptr<arrow::RecordBatch> Numbers(std::int64_t rows) {
  const auto column = arrow::MakeArrayOfNull(arrow::int64(), rows).ValueOrDie();
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("n", arrow::int64())}), rows,
                                  {column});
}

std::int64_t RowsOf(const std::vector<SizedBatch>& parts) {
  std::int64_t rows = 0;
  for (const auto& part : parts) rows += part.batch->num_rows();
  return rows;
}

TEST(CutToMessagesTest, WhatFitsIsLeftAsItIs) {
  for (const std::int64_t rows : {std::int64_t{0}, std::int64_t{1}, kMaxMessageRows}) {
    const auto batch = Numbers(rows);
    const auto parts = CutToMessages(batch).ValueOrDie();
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0].batch, batch);
  }
}

TEST(CutToMessagesTest, ManyRowsAreCutWithoutCopies) {
  const auto batch = Numbers(kMaxMessageRows * 2 + 1);
  const auto parts = CutToMessages(batch).ValueOrDie();
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(RowsOf(parts), batch->num_rows());
  for (const auto& part : parts) {
    EXPECT_THAT(part.batch->num_rows(), Le(kMaxMessageRows));
    EXPECT_EQ(part.batch->column_data(0)->buffers[1], batch->column_data(0)->buffers[1]);
  }
}

TEST(CutToMessagesTest, LargeRowsAreCutByTheirBytes) {
  const auto batch = Texts(std::vector<std::int64_t>(100, 200'000));  // 20 MB
  const auto parts = CutToMessages(batch).ValueOrDie();
  EXPECT_EQ(RowsOf(parts), 100);
  for (const auto& part : parts) {
    EXPECT_THAT(part.bytes, Le(kMaxMessageBytes));
  }
}

TEST(CutToMessagesTest, NoMessageIsTooLargeHoweverUnevenItsRowsAre) {
  std::vector<std::int64_t> sizes(50'000, 1);
  for (std::size_t row = 0; row < 12; ++row) sizes[row] = 5'000'000;  // all in the first rows
  const auto parts = CutToMessages(Texts(sizes)).ValueOrDie();
  EXPECT_EQ(RowsOf(parts), 50'000);
  for (const auto& part : parts) EXPECT_THAT(part.bytes, Le(kMaxWireBytes));
}

TEST(CutToMessagesTest, ARowTooLargeForAnyMessageIsRefused) {
  EXPECT_TRUE(CutToMessages(Texts({15'000'000})).ok());
  const auto refused = CutToMessages(Texts({1, 17'000'000, 1})).status();
  EXPECT_EQ(ReasonOf(refused), "MESSAGE_TOO_LARGE") << refused;
  EXPECT_EQ(GetErrorDetails(refused)->code, ErrorCode::kInvalidArgument);
}

TEST(CutToMessagesTest, ADictionaryIsNoReasonToCutRowsAndHasABoundOfItsOwn) {
  const auto encode = [](std::int64_t bytes) {
    const auto type = arrow::dictionary(arrow::int8(), arrow::utf8());
    const auto indices = arrow::MakeArrayFromScalar(arrow::Int8Scalar(0), 100).ValueOrDie();
    const auto column =
        arrow::DictionaryArray::FromArrays(type, indices, Texts({bytes})->column(0)).ValueOrDie();
    return arrow::RecordBatch::Make(arrow::schema({arrow::field("s", type)}), 100, {column});
  };
  EXPECT_EQ(CutToMessages(encode(6'000'000)).ValueOrDie().size(), 1U);
  EXPECT_EQ(ReasonOf(CutToMessages(encode(17'000'000)).status()), "MESSAGE_TOO_LARGE");
}

}  // namespace
}  // namespace tickmesh::internal
