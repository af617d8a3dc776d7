#include "ticks/put_retry.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Eq;
using ::testing::Optional;

arrow::Status Away() {
  return MakeError("away", {.code = ErrorCode::kUnavailable, .reason = "UNREACHABLE"});
}

PutRetry::Clock::time_point At(std::chrono::milliseconds time) {
  return PutRetry::Clock::time_point(time);
}

TEST(PutRetryTest, OnlyWhatMayPassIsTriedAgain) {
  PutRetry retry{seconds(60)};
  EXPECT_TRUE(retry.PauseAfter(Away(), At(seconds(1)), 0));
  for (const auto code : {ErrorCode::kInvalidArgument, ErrorCode::kFailedPrecondition,
                          ErrorCode::kPermissionDenied, ErrorCode::kInternal}) {
    EXPECT_FALSE(retry.PauseAfter(MakeError("no", {.code = code}), At(seconds(1)), 0));
  }
  EXPECT_FALSE(retry.PauseAfter(arrow::Status::IOError("not ours"), At(seconds(1)), 0));
}

TEST(PutRetryTest, PausesLieAnywhereInARangeThatGrowsUpToThirtySeconds) {
  PutRetry retry{seconds(1'000)};
  EXPECT_THAT(retry.PauseAfter(Away(), At(seconds(1)), 0), Optional(Eq(seconds(0))));
  EXPECT_THAT(retry.PauseAfter(Away(), At(seconds(1)), 1), Optional(Eq(milliseconds(320))));
  EXPECT_THAT(retry.PauseAfter(Away(), At(seconds(1)), 0.5), Optional(Eq(milliseconds(256))));
  for (int attempt = 0; attempt < 40; ++attempt) retry.PauseAfter(Away(), At(seconds(1)), 0);
  EXPECT_THAT(retry.PauseAfter(Away(), At(seconds(1)), 1), Optional(Eq(seconds(30))));
}

TEST(PutRetryTest, TheStoresWordOnWhenToComeBackIsKept) {
  PutRetry retry{seconds(60)};
  const auto full = MakeError("full", {.code = ErrorCode::kResourceExhausted,
                                       .reason = "TOO_MANY_STREAMS",
                                       .retry_after = milliseconds(750)});
  EXPECT_THAT(retry.PauseAfter(full, At(seconds(1)), 0.1), Optional(Eq(milliseconds(750))));
}

TEST(PutRetryTest, TriesEndOnceNothingWasAcknowledgedForTheRetryTime) {
  PutRetry retry{seconds(10)};
  EXPECT_TRUE(retry.PauseAfter(Away(), At(seconds(1)), 0));
  EXPECT_TRUE(retry.PauseAfter(Away(), At(milliseconds(10'999)), 0));
  EXPECT_FALSE(retry.PauseAfter(Away(), At(seconds(11)), 0));
  retry.Progress();
  EXPECT_TRUE(retry.PauseAfter(Away(), At(seconds(12)), 0));
  EXPECT_TRUE(retry.PauseAfter(Away(), At(seconds(21)), 0));
  EXPECT_FALSE(retry.PauseAfter(Away(), At(seconds(22)), 0));
}

TEST(PutRetryTest, NoRetryTimeIsNoRetry) {
  PutRetry retry{seconds(0)};
  EXPECT_FALSE(retry.PauseAfter(Away(), At(seconds(1)), 0));
}

}  // namespace
}  // namespace tickmesh::internal
