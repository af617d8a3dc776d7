#include "wire/status_conversion.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <grpcpp/support/status.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "arrow/flight/types.h"
#include "tickmesh/status.h"
#include "wire/unreachable.h"

namespace tickmesh::internal {

namespace {

constexpr std::chrono::seconds kLongestDelay = std::chrono::hours(1);
// What Flight puts before and behind the text of a call.
constexpr std::string_view kFlightPrefix = " error, with message: ";
constexpr std::string_view kFlightSuffixes[] = {
    ". gRPC client debug context: ", ". Client context: ", ". Detail: "};

constexpr int kLastCode = static_cast<int>(ErrorCode::kUnauthenticated);

ErrorCode CodeOf(int number) {
  return number >= 1 && number <= kLastCode ? static_cast<ErrorCode>(number) : ErrorCode::kUnknown;
}

/// A delay as a peer named it, within reason.
std::chrono::milliseconds DelayOf(const google::protobuf::Duration& delay) {
  const auto seconds = std::clamp<std::int64_t>(delay.seconds(), 0, kLongestDelay.count());
  const std::chrono::milliseconds fraction(std::max(delay.nanos(), 0) / 1'000'000);
  return std::min<std::chrono::milliseconds>(std::chrono::seconds(seconds) + fraction,
                                             kLongestDelay);
}

/// Read one detail; details of other kinds are passed over.
void Read(const google::protobuf::Any& any, ErrorDetails* details) {
  if (google::rpc::ErrorInfo info; any.UnpackTo(&info)) {
    details->reason = info.reason();
    details->domain = info.domain();
    details->metadata.insert(info.metadata().begin(), info.metadata().end());
  } else if (google::rpc::RequestInfo request; any.UnpackTo(&request)) {
    details->request_id = request.request_id();
  } else if (google::rpc::RetryInfo retry; any.UnpackTo(&retry)) {
    details->retry_after = DelayOf(retry.retry_delay());
  } else if (google::rpc::ResourceInfo resource; any.UnpackTo(&resource)) {
    details->resource_type = resource.resource_type();
    details->resource_name = resource.resource_name();
  } else if (google::rpc::BadRequest bad; any.UnpackTo(&bad)) {
    for (const auto& violation : bad.field_violations()) {
      details->violations.push_back({violation.field(), violation.description()});
    }
  } else if (google::rpc::PreconditionFailure failure; any.UnpackTo(&failure)) {
    for (const auto& violation : failure.violations()) {
      details->violations.push_back({violation.subject(), violation.description()});
    }
  }
}

/// The status that a server of ours sent; nothing when the bytes are none.
std::optional<arrow::Status> FromServer(const std::string& serialized) {
  google::rpc::Status status;
  if (serialized.empty() || !status.ParseFromString(serialized)) return std::nullopt;
  ErrorDetails details{.code = CodeOf(status.code())};
  for (const auto& detail : status.details()) Read(detail, &details);
  return MakeError(status.message(), std::move(details));
}

/// A failure without a status of ours: the transport failed, or the peer is no server of ours.
arrow::Status FromTransport(ErrorCode code, std::string text, std::string_view address) {
  if (code == ErrorCode::kUnavailable) {
    Unreachable why = WhyUnreachable(text, address);
    return MakeError(std::move(why.message),
                     {.code = code, .reason = std::move(why.reason), .domain = ""});
  }
  if (code == ErrorCode::kDeadlineExceeded) {
    return MakeError("no answer from " + std::string(address) + " before the deadline",
                     {.code = code, .reason = "DEADLINE_EXCEEDED"});
  }
  if (text.empty()) {
    text = "the call ended with " + std::string(ErrorCodeName(code)) + " and no message";
  }
  return MakeError(std::move(text), {.code = code});
}

/// What the call said, without what Flight says about itself.
std::string Bare(std::string_view text) {
  for (const auto suffix : kFlightSuffixes) text = text.substr(0, text.find(suffix));
  if (const auto place = text.find(kFlightPrefix);
      text.starts_with("Flight returned ") && place != std::string_view::npos) {
    text.remove_prefix(place + kFlightPrefix.size());
  }
  return std::string(text);
}

ErrorCode CodeOf(arrow::flight::FlightStatusCode code) {
  switch (code) {
    case arrow::flight::FlightStatusCode::TimedOut:
      return ErrorCode::kDeadlineExceeded;
    case arrow::flight::FlightStatusCode::Cancelled:
      return ErrorCode::kCancelled;
    case arrow::flight::FlightStatusCode::Unauthenticated:
      return ErrorCode::kUnauthenticated;
    case arrow::flight::FlightStatusCode::Unauthorized:
      return ErrorCode::kPermissionDenied;
    case arrow::flight::FlightStatusCode::Unavailable:
      return ErrorCode::kUnavailable;
    case arrow::flight::FlightStatusCode::Internal:
      return ErrorCode::kInternal;
    case arrow::flight::FlightStatusCode::Failed:
      return ErrorCode::kUnknown;
  }
  return ErrorCode::kUnknown;
}

ErrorCode CodeOf(arrow::StatusCode code) {
  switch (code) {
    case arrow::StatusCode::Cancelled:
      return ErrorCode::kCancelled;
    case arrow::StatusCode::KeyError:
      return ErrorCode::kNotFound;
    case arrow::StatusCode::Invalid:
    case arrow::StatusCode::TypeError:
      return ErrorCode::kInvalidArgument;
    case arrow::StatusCode::NotImplemented:
      return ErrorCode::kUnimplemented;
    case arrow::StatusCode::AlreadyExists:
      return ErrorCode::kAlreadyExists;
    case arrow::StatusCode::OutOfMemory:
    case arrow::StatusCode::CapacityError:
      return ErrorCode::kResourceExhausted;
    default:
      return ErrorCode::kUnknown;
  }
}

}  // namespace

arrow::Status FromGrpc(const grpc::Status& status, std::string_view address) {
  if (status.ok()) return arrow::Status::OK();
  if (auto sent = FromServer(status.error_details())) return *std::move(sent);
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    return FromTransport(ErrorCode::kUnavailable, "it ended the call; it may be stopping", address);
  }
  return FromTransport(CodeOf(status.error_code()), status.error_message(), address);
}

arrow::Status FromFlight(const arrow::Status& status, std::string_view address) {
  if (status.ok() || GetErrorDetails(status) != nullptr) return status;
  const auto detail = arrow::flight::FlightStatusDetail::UnwrapStatus(status);
  if (detail == nullptr)
    return FromTransport(CodeOf(status.code()), Bare(status.message()), address);
  if (auto sent = FromServer(detail->extra_info())) return *std::move(sent);
  return FromTransport(CodeOf(detail->code()), Bare(status.message()), address);
}

}  // namespace tickmesh::internal
