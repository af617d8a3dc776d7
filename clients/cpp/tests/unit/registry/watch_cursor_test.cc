#include "registry/watch_cursor.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/registry/wire_messages.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

using std::chrono::milliseconds;

WatchCursor After(std::int64_t revision) {
  wire::WatchRequest request;
  request.set_after_revision(revision);
  WatchCursor cursor(
      request,
      [](const wire::SchemaVersion& message) -> arrow::Result<SchemaPointer> {
        return Held(SchemaFromWire(message));
      },
      1);
  cursor.NextRequest();
  return cursor;
}

std::optional<WatchMessage> Accepted(WatchCursor& cursor, const wire::WatchResponse& response) {
  return cursor.Accept(response).ValueOrDie();
}

arrow::Status Failure(ErrorCode code, const std::string& reason = "") {
  return MakeError("no", {.code = code, .reason = reason});
}

TEST(WatchCursorTest, W4FragmentsOfOneRevisionAreDeliveredWhole) {
  WatchCursor cursor = After(5);
  EXPECT_FALSE(Accepted(cursor, Events(6, 0, 2, true)));
  const auto message = Accepted(cursor, Events(6, 6));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->events.size(), 3u);
  EXPECT_EQ(message->token, "e:6");
}

TEST(WatchCursorTest, W4AStreamThatBreaksInsideARevisionResumesBeforeIt) {
  WatchCursor cursor = After(5);
  Accepted(cursor, Events(6, 0));
  Accepted(cursor, Events(7, 6, 1, true));
  EXPECT_EQ(cursor.NextRequest().after_token(), "e:6");
  const auto message = Accepted(cursor, Events(7, 0, 2));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->events.size(), 2u) << "the fragment before the break came again";
}

TEST(WatchCursorTest, AMissingResponseIsNoticedAndTheWatchResumesAfterTheLastWholeOne) {
  WatchCursor cursor = After(5);
  Accepted(cursor, Events(6, 0));
  const auto gap = cursor.Accept(Events(8, 7));
  ASSERT_FALSE(gap.ok());
  EXPECT_EQ(ReasonOf(gap.status()), "WATCH_GAP");
  EXPECT_TRUE(GetErrorDetails(gap.status())->retryable());
  EXPECT_EQ(cursor.NextRequest().after_token(), "e:6");
}

TEST(WatchCursorTest, W2ARevisionRepeatedAfterAResumeIsNotDeliveredTwice) {
  WatchCursor cursor = After(5);
  ASSERT_TRUE(Accepted(cursor, Events(6, 0)));
  cursor.NextRequest();
  EXPECT_FALSE(Accepted(cursor, Events(6, 0, 1, true)));
  EXPECT_FALSE(Accepted(cursor, Events(6, 6)));
  const auto next = Accepted(cursor, Events(7, 6));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->events.size(), 1u);
}

TEST(WatchCursorTest, W7ASnapshotIsDeliveredWholeAtItsRevision) {
  WatchCursor cursor = After(0);
  wire::WatchResponse part = Events(9, 0, 2, true);
  part.set_kind(wire::WatchResponse::KIND_SNAPSHOT_PART);
  EXPECT_FALSE(Accepted(cursor, part));
  const auto message = Accepted(cursor, Mark(wire::WatchResponse::KIND_SNAPSHOT_END, 9, 9));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, WatchMessageKind::kSnapshot);
  EXPECT_EQ(message->events.size(), 2u);
}

TEST(WatchCursorTest, W6ProgressMovesTheResumePoint) {
  WatchCursor cursor = After(5);
  const auto message = Accepted(cursor, Mark(wire::WatchResponse::KIND_PROGRESS, 20, 0));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, WatchMessageKind::kProgress);
  EXPECT_EQ(cursor.NextRequest().after_token(), "e:20");
}

TEST(WatchCursorTest, W16DrainingIsNoMessageAndKeepsTheResumePoint) {
  WatchCursor cursor = After(5);
  Accepted(cursor, Events(6, 0));
  EXPECT_FALSE(Accepted(cursor, Mark(wire::WatchResponse::KIND_DRAINING, 6, 6)));
  EXPECT_EQ(cursor.NextRequest().after_token(), "e:6");
}

TEST(WatchCursorTest, AnEventThatCannotBeReadEndsTheStreamBeforeIt) {
  wire::WatchRequest request;
  WatchCursor cursor(request, [](const wire::SchemaVersion&) -> arrow::Result<SchemaPointer> {
    return Failure(ErrorCode::kUnavailable);
  });
  cursor.NextRequest();
  wire::WatchResponse response = Events(6, 0);
  response.mutable_events(0)->mutable_schema()->set_version(1);
  EXPECT_FALSE(cursor.Accept(response).ok());
  EXPECT_FALSE(cursor.NextRequest().has_after_token());
}

TEST(WatchCursorTest, W5DelaysGrowWithFullJitterUntilAResponseComes) {
  WatchCursor cursor = After(5);
  milliseconds longest{0};
  bool spread = false;
  for (int failure = 0; failure < 200; ++failure) {
    const auto delay = cursor.DelayAfter(Failure(ErrorCode::kUnavailable)).ValueOrDie();
    EXPECT_GE(delay, milliseconds(0));
    EXPECT_LE(delay, kLongestDelay);
    if (failure == 0) {
      EXPECT_LE(delay, kFirstDelay);
    }
    spread = spread || (failure > 20 && delay < kLongestDelay / 4);
    longest = std::max(longest, delay);
  }
  EXPECT_GT(longest, kLongestDelay / 2);
  EXPECT_TRUE(spread) << "full jitter also draws short delays";
  Accepted(cursor, Events(6, 0));
  EXPECT_LE(cursor.DelayAfter(Failure(ErrorCode::kUnavailable)).ValueOrDie(), kFirstDelay);
}

TEST(WatchCursorTest, ADelayThatTheServerAsksForIsKeptWithinBounds) {
  WatchCursor cursor = After(5);
  arrow::Status status =
      MakeError("later", {.code = ErrorCode::kUnavailable, .retry_after = milliseconds(1500)});
  EXPECT_EQ(cursor.DelayAfter(status).ValueOrDie(), milliseconds(1500));
  status = MakeError("much later",
                     {.code = ErrorCode::kUnavailable, .retry_after = std::chrono::hours(1000)});
  EXPECT_EQ(cursor.DelayAfter(status).ValueOrDie(), kLongestDelay);
}

TEST(WatchCursorTest, W8W9WhatResumingCannotMendIsToldAtOnce) {
  WatchCursor cursor = After(5);
  for (const arrow::Status& status : {
           Failure(ErrorCode::kOutOfRange, "REVISION_COMPACTED"),
           Failure(ErrorCode::kOutOfRange, "REVISION_IN_FUTURE"),
           Failure(ErrorCode::kFailedPrecondition, "EPOCH_CHANGED"),
           Failure(ErrorCode::kPermissionDenied, "PERMISSION_DENIED"),
           Failure(ErrorCode::kUnauthenticated, "UNAUTHENTICATED"),
           Failure(ErrorCode::kInvalidArgument, "INVALID_ARGUMENT"),
       }) {
    EXPECT_EQ(cursor.DelayAfter(status).status(), status);
  }
  for (const arrow::Status& status : {
           Failure(ErrorCode::kUnavailable, "DRAINING"),
           Failure(ErrorCode::kResourceExhausted, "SLOW_WATCHER"),
           Failure(ErrorCode::kInternal, "INTERNAL"),
           Failure(ErrorCode::kDeadlineExceeded, "DEADLINE_EXCEEDED"),
       }) {
    EXPECT_TRUE(cursor.DelayAfter(status).ok()) << status.ToString();
  }
}

TEST(WatchCursorTest, W14SilenceIsThreeProgressIntervals) {
  wire::WatchRequest request;
  EXPECT_EQ(WatchCursor(request, {}).SilenceLimit(), std::chrono::seconds(30));
  request.mutable_progress_interval()->set_seconds(2);
  EXPECT_EQ(WatchCursor(request, {}).SilenceLimit(), std::chrono::seconds(6));
}

}  // namespace
}  // namespace tickmesh::internal
