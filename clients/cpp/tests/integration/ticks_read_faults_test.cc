#include <chrono>
#include <memory>
#include <string>

#include "arrow/api.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/stored_trades.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

using namespace std::chrono_literals;
using testing::Break;
using testing::Counted;
using testing::Integers;
using testing::StoredTrades;

constexpr std::int64_t kRows = 700'000;
// So slow a wire that no stream is over before its fault.
constexpr const char* kSlowWire = "flight latency 0.05";
// What a deadline may be late by on a busy machine; a hang is longer.
constexpr auto kGrace = 15s;

using Clock = std::chrono::steady_clock;

/// Take batches until the stream fails; its end would be a failure of the test.
arrow::Status DrainUntilFailure(arrow::RecordBatchReader* stream) {
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    ARROW_RETURN_NOT_OK(stream->ReadNext(&batch));
    if (batch == nullptr) return arrow::Status::OK();
  }
}

class TickReadFaultsTest : public ::testing::Test {
 protected:
  /// The same client serves again once the fault is over.
  void ExpectReadsAgain() {
    Break("flight heal");
    const auto give_up = Clock::now() + 60s;
    auto table = client_->Read({.dataset = subject_});
    while (!table.ok() && GetErrorDetails(table.status())->retryable() && Clock::now() < give_up) {
      table = client_->Read({.dataset = subject_});
    }
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    EXPECT_EQ(Integers(**table, "size"), Counted(0, kRows));
  }

  const std::string subject_ = StoredTrades(kRows);
  std::unique_ptr<TickClient> client_ = *TickClient::Connect(testing::ThroughFaultyWires());
};

TEST_F(TickReadFaultsTest, AStoreThatDoesNotPlanEndsAReadAtItsDeadline) {
  Break("tickstore freeze");
  const auto started = Clock::now();
  const auto table = client_->Read({.dataset = subject_, .timeout = 500ms});
  EXPECT_EQ(ReasonOf(table.status()), "DEADLINE_EXCEEDED") << table.status().ToString();
  EXPECT_LT(Clock::now() - started, kGrace);
  Break("tickstore thaw");
  ExpectReadsAgain();
}

TEST_F(TickReadFaultsTest, AWireThatGoesSilentEndsAStreamAtItsDeadline) {
  Break(kSlowWire);
  auto stream = client_->Stream({.dataset = subject_, .timeout = 5s});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  std::shared_ptr<arrow::RecordBatch> first;
  ASSERT_TRUE((*stream)->ReadNext(&first).ok());
  Break("flight cut");
  const auto started = Clock::now();
  const arrow::Status ended = DrainUntilFailure(stream->get());
  EXPECT_EQ(ReasonOf(ended), "DEADLINE_EXCEEDED") << ended.ToString();
  stream->reset();
  EXPECT_LT(Clock::now() - started, kGrace);
  ExpectReadsAgain();
}

TEST_F(TickReadFaultsTest, AStreamThatIsResetSaysSo) {
  Break(kSlowWire);
  auto stream = client_->Stream({.dataset = subject_});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  std::shared_ptr<arrow::RecordBatch> first;
  ASSERT_TRUE((*stream)->ReadNext(&first).ok());
  Break("flight reset");
  const arrow::Status ended = DrainUntilFailure(stream->get());
  ASSERT_NE(GetErrorDetails(ended), nullptr) << ended.ToString();
  EXPECT_EQ(GetErrorDetails(ended)->code, ErrorCode::kUnavailable) << ended.ToString();
  EXPECT_EQ(ReasonOf(DrainUntilFailure(stream->get())), ReasonOf(ended));
  ExpectReadsAgain();
}

TEST_F(TickReadFaultsTest, AStoreThatIsKilledEndsAReadAndServesItAgainWhenItIsBack) {
  Break(kSlowWire);
  auto stream = client_->Stream({.dataset = subject_});
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  std::shared_ptr<arrow::RecordBatch> first;
  ASSERT_TRUE((*stream)->ReadNext(&first).ok());
  Break("tickstore kill");
  const arrow::Status ended = DrainUntilFailure(stream->get());
  ASSERT_NE(GetErrorDetails(ended), nullptr) << ended.ToString();
  EXPECT_EQ(GetErrorDetails(ended)->code, ErrorCode::kUnavailable) << ended.ToString();
  ExpectReadsAgain();
}

TEST_F(TickReadFaultsTest, AStoreThatIsAwayIsNamed) {
  Break("flight down");
  const auto table = client_->Read({.dataset = subject_});
  EXPECT_EQ(ReasonOf(table.status()), "UNREACHABLE");
  EXPECT_NE(table.status().message().find(testing::ThroughFaultyWires().tickstore_flight),
            std::string::npos);
  Break("flight up");
  ExpectReadsAgain();
}

TEST_F(TickReadFaultsTest, AReadThatNobodyWaitsForDoesNotHoldUpItsEnd) {
  Break("flight hold");
  const auto started = Clock::now();
  client_.reset();
  client_ = *TickClient::Connect(testing::ThroughFaultyWires());
  EXPECT_EQ(ReasonOf(client_->Read({.dataset = subject_, .timeout = 300ms}).status()),
            "DEADLINE_EXCEEDED");
  client_.reset();
  EXPECT_LT(Clock::now() - started, kGrace);
  Break("flight heal");
}

}  // namespace
}  // namespace tickmesh
