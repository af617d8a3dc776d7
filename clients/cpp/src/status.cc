#include "tickmesh/status.h"

#include <array>
#include <utility>

namespace tickmesh {

namespace {

constexpr const char* kTypeId = "tickmesh::StatusDetail";

constexpr std::array<std::string_view, 17> kNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

arrow::StatusCode ArrowCode(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCancelled:
      return arrow::StatusCode::Cancelled;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFailedPrecondition:
      return arrow::StatusCode::Invalid;
    case ErrorCode::kNotFound:
      return arrow::StatusCode::KeyError;
    case ErrorCode::kAlreadyExists:
      return arrow::StatusCode::AlreadyExists;
    case ErrorCode::kResourceExhausted:
      return arrow::StatusCode::CapacityError;
    case ErrorCode::kOutOfRange:
      return arrow::StatusCode::IndexError;
    case ErrorCode::kUnimplemented:
      return arrow::StatusCode::NotImplemented;
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kPermissionDenied:
      return arrow::StatusCode::IOError;
    case ErrorCode::kUnknown:
    case ErrorCode::kAborted:
    case ErrorCode::kInternal:
    case ErrorCode::kDataLoss:
      return arrow::StatusCode::UnknownError;
  }
  return arrow::StatusCode::UnknownError;
}

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) {
  const auto number = static_cast<std::size_t>(code);
  return number < kNames.size() ? kNames[number] : kNames[2];
}

const char* StatusDetail::type_id() const { return kTypeId; }

std::string StatusDetail::ToString() const {
  std::string text(ErrorCodeName(details_.code));
  if (!details_.reason.empty()) text += " " + details_.reason;
  for (const Violation& violation : details_.violations) {
    text += "; ";
    if (!violation.field.empty()) text += violation.field + ": ";
    text += violation.description;
  }
  return text;
}

const ErrorDetails* GetErrorDetails(const arrow::Status& status) {
  const auto& detail = status.detail();
  if (detail == nullptr || std::string_view(detail->type_id()) != kTypeId) return nullptr;
  return &static_cast<const StatusDetail&>(*detail).details();
}

std::string_view ReasonOf(const arrow::Status& status) {
  const ErrorDetails* details = GetErrorDetails(status);
  return details == nullptr ? std::string_view() : std::string_view(details->reason);
}

arrow::Status MakeError(std::string message, ErrorDetails details) {
  const arrow::StatusCode code = ArrowCode(details.code);
  return {code, std::move(message), std::make_shared<StatusDetail>(std::move(details))};
}

}  // namespace tickmesh
