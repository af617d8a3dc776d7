#include "wire/status_conversion.h"

#include <chrono>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include <grpcpp/support/status.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "arrow/flight/types.h"
#include "gmock/gmock.h"
#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// A status as the servers send it.
class Sent {
 public:
  Sent(int code, const std::string& message) {
    status_.set_code(code);
    status_.set_message(message);
  }

  template <typename Detail>
  Sent& With(const Detail& detail) {
    status_.add_details()->PackFrom(detail);
    return *this;
  }

  Sent& Because(const std::string& reason) {
    google::rpc::ErrorInfo info;
    info.set_reason(reason);
    info.set_domain("tickmesh");
    (*info.mutable_metadata())["subject"] = "ticks.trades";
    return With(info);
  }

  Sent& RetryAfter(std::int64_t seconds, std::int32_t nanos) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(seconds);
    retry.mutable_retry_delay()->set_nanos(nanos);
    return With(retry);
  }

  std::string Bytes() const { return status_.SerializeAsString(); }

 private:
  google::rpc::Status status_;
};

arrow::Status OverGrpc(const std::string& bytes) {
  return FromGrpc(grpc::Status(grpc::StatusCode::UNKNOWN, "transport's text", bytes), "host:1");
}

arrow::Status OverFlight(const std::string& bytes) {
  return FromFlight(arrow::flight::MakeFlightError(arrow::flight::FlightStatusCode::Failed,
                                                   "transport's text", bytes),
                    "host:1");
}

arrow::Status Flight(arrow::flight::FlightStatusCode code, const std::string& text) {
  return FromFlight(arrow::flight::MakeFlightError(code, text), "host:1");
}

TEST(StatusConversionTest, WhatAServerSaidIsWhatIsReadOnBothPlanes) {
  google::rpc::RequestInfo request;
  request.set_request_id("abc");
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("dataset");
  resource.set_resource_name("ticks.trades");
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("price");
  violation->set_description("expected a positive number");
  google::rpc::DebugInfo passed_over;
  const std::string bytes = Sent(5, "no such dataset")
                                .With(passed_over)
                                .Because("DATASET_NOT_FOUND")
                                .With(request)
                                .With(resource)
                                .With(bad)
                                .RetryAfter(1, 250'000'000)
                                .Bytes();
  for (const auto& status : {OverGrpc(bytes), OverFlight(bytes)}) {
    EXPECT_TRUE(status.IsKeyError());
    EXPECT_EQ(status.message(), "no such dataset");
    const ErrorDetails* details = GetErrorDetails(status);
    ASSERT_NE(details, nullptr);
    EXPECT_EQ(details->code, ErrorCode::kNotFound);
    EXPECT_EQ(details->reason, "DATASET_NOT_FOUND");
    EXPECT_EQ(details->domain, "tickmesh");
    EXPECT_THAT(details->metadata, ElementsAre(Pair("subject", "ticks.trades")));
    EXPECT_EQ(details->request_id, "abc");
    EXPECT_EQ(details->resource_type, "dataset");
    EXPECT_EQ(details->resource_name, "ticks.trades");
    ASSERT_EQ(details->violations.size(), 1U);
    EXPECT_EQ(details->violations[0].field, "price");
    EXPECT_EQ(details->retry_after, std::chrono::milliseconds(1'250));
    EXPECT_TRUE(details->retryable());
  }
}

TEST(StatusConversionTest, FailedPreconditionsAreViolationsToo) {
  google::rpc::PreconditionFailure failure;
  failure.add_violations()->set_description("the schema is deprecated");
  failure.mutable_violations(0)->set_subject("ticks.trades");
  const auto status = OverFlight(Sent(9, "refused").With(failure).Bytes());
  ASSERT_EQ(GetErrorDetails(status)->violations.size(), 1U);
  EXPECT_EQ(GetErrorDetails(status)->violations[0].field, "ticks.trades");
}

TEST(StatusConversionTest, SuccessStaysSuccessAndOursStaysOurs) {
  EXPECT_TRUE(FromGrpc(grpc::Status::OK, "host:1").ok());
  EXPECT_TRUE(FromFlight(arrow::Status::OK(), "host:1").ok());
  const auto ours = MakeError("ours", {.code = ErrorCode::kAborted, .reason = "LOST"});
  EXPECT_EQ(ReasonOf(FromFlight(ours, "host:1")), "LOST");
}

TEST(StatusConversionTest, ACodeThatIsNoneIsUnknownAndStillAFailure) {
  for (const int code : {0, -1, 17, std::numeric_limits<int>::max()}) {
    const auto status = OverFlight(Sent(code, "odd").Because("ODD").Bytes());
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(GetErrorDetails(status)->code, ErrorCode::kUnknown);
    EXPECT_EQ(ReasonOf(status), "ODD");
  }
}

TEST(StatusConversionTest, NoDelayIsLongerThanAnHourOrNegative) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  struct Case {
    std::int64_t seconds;
    std::int32_t nanos;
    std::chrono::milliseconds expected;
  };
  for (const Case& each :
       {Case{kMost, 999'999'999, std::chrono::hours(1)},
        Case{std::numeric_limits<std::int64_t>::min(), 0, std::chrono::milliseconds(0)},
        Case{0, -5'000'000, std::chrono::milliseconds(0)},
        Case{3'600, std::numeric_limits<std::int32_t>::max(), std::chrono::hours(1)}}) {
    const auto status = OverGrpc(Sent(14, "later").RetryAfter(each.seconds, each.nanos).Bytes());
    EXPECT_EQ(GetErrorDetails(status)->retry_after, each.expected) << each.seconds;
  }
}

TEST(StatusConversionTest, BytesThatAreNoStatusLeaveWhatTheTransportSaid) {
  const std::string good = Sent(9, "refused").Because("PRODUCER_FENCED").Bytes();
  const google::protobuf::LogSilencer silent;
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes = good;
    if (round % 2 == 0) bytes.resize(random() % good.size());
    if (!bytes.empty()) bytes[random() % bytes.size()] = static_cast<char>(random());
    for (const auto& status : {OverGrpc(bytes), OverFlight(bytes)}) {
      ASSERT_FALSE(status.ok());
      ASSERT_NE(GetErrorDetails(status), nullptr);
    }
  }
  for (const auto& status : {OverGrpc("\xff\xff\xff"), OverFlight("\xff\xff\xff"), OverGrpc("")}) {
    EXPECT_THAT(status.message(), HasSubstr("transport's text"));
    EXPECT_EQ(GetErrorDetails(status)->code, ErrorCode::kUnknown);
    EXPECT_EQ(ReasonOf(status), "");
  }
}

TEST(StatusConversionTest, AFailedTransportIsToldByItsCode) {
  const auto away = FromGrpc({grpc::StatusCode::UNAVAILABLE, "connection refused"}, "host:1");
  EXPECT_EQ(ReasonOf(away), "UNREACHABLE");
  EXPECT_THAT(away.message(), HasSubstr("host:1"));
  EXPECT_TRUE(GetErrorDetails(away)->retryable());
  EXPECT_TRUE(away.IsIOError());
  const auto late = FromGrpc({grpc::StatusCode::DEADLINE_EXCEEDED, "x"}, "host:1");
  EXPECT_EQ(ReasonOf(late), "DEADLINE_EXCEEDED");
  EXPECT_FALSE(GetErrorDetails(late)->retryable());
  const auto bare = FromGrpc({grpc::StatusCode::UNIMPLEMENTED, ""}, "host:1");
  EXPECT_THAT(bare.message(), HasSubstr("UNIMPLEMENTED"));

  EXPECT_EQ(ReasonOf(Flight(arrow::flight::FlightStatusCode::Unavailable, "gone")), "UNREACHABLE");
  EXPECT_EQ(ReasonOf(Flight(arrow::flight::FlightStatusCode::TimedOut, "x")), "DEADLINE_EXCEEDED");
  struct Case {
    arrow::flight::FlightStatusCode flight;
    ErrorCode code;
  };
  for (const Case& each :
       {Case{arrow::flight::FlightStatusCode::Cancelled, ErrorCode::kCancelled},
        Case{arrow::flight::FlightStatusCode::Unauthenticated, ErrorCode::kUnauthenticated},
        Case{arrow::flight::FlightStatusCode::Unauthorized, ErrorCode::kPermissionDenied},
        Case{arrow::flight::FlightStatusCode::Internal, ErrorCode::kInternal},
        Case{arrow::flight::FlightStatusCode::Failed, ErrorCode::kUnknown}}) {
    EXPECT_EQ(GetErrorDetails(Flight(each.flight, "x"))->code, each.code);
  }
  EXPECT_EQ(GetErrorDetails(FromFlight(arrow::Status::KeyError("x"), "h:1"))->code,
            ErrorCode::kNotFound);
  EXPECT_EQ(GetErrorDetails(FromFlight(arrow::Status::Invalid("x"), "h:1"))->code,
            ErrorCode::kInvalidArgument);
}

TEST(StatusConversionTest, TheMessageIsWhatTheCallSaidWithoutWhatFlightAdds) {
  EXPECT_EQ(Flight(arrow::flight::FlightStatusCode::Internal,
                   "Flight returned internal error, with message: it broke. gRPC client debug "
                   "context: UNKNOWN:Error received from peer {grpc_status:13}. Client context: OK")
                .message(),
            "it broke");
  EXPECT_EQ(Flight(arrow::flight::FlightStatusCode::Unavailable,
                   "Flight returned unavailable error, with message: failed to connect to all "
                   "addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused. Client "
                   "context: IOError: Could not write record batch to stream")
                .message(),
            "no answer from host:1: Connection refused");
}

TEST(StatusConversionTest, ACallTheServerCancelledMayBeMadeAgain) {
  const auto stopped =
      FromGrpc({grpc::StatusCode::CANCELLED, "Received RST_STREAM with error code 8"}, "host:1");
  EXPECT_EQ(GetErrorDetails(stopped)->code, ErrorCode::kUnavailable) << stopped;
  EXPECT_THAT(stopped.message(), HasSubstr("host:1"));
}

}  // namespace
}  // namespace tickmesh::internal
