#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow/status.h"
#include "tickmesh/export.h"

/// \file
/// The one error model: every function of this library that can fail returns an `arrow::Status` or
/// `arrow::Result`, and every such status of ours carries an `ErrorDetails`.

namespace tickmesh {

/// Canonical code of a failure, numbered as in gRPC.
enum class ErrorCode {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  /// The outcome is unknown.
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  /// Somebody else was faster: read again, decide again, retry.
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  /// A defect: report `metadata["errorId"]`.
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// The code's name, such as `NOT_FOUND`.
TICKMESH_EXPORT std::string_view ErrorCodeName(ErrorCode code);

/// One thing wrong with a request: where, and what to do about it.
struct Violation {
  /// Path of the field, or of the schema's element, that is wrong.
  std::string field = {};
  /// What was expected, what came, how to mend it.
  std::string description = {};
};

/// What a failed call says beside its message.
struct ErrorDetails {
  ErrorCode code = ErrorCode::kUnknown;
  /// Stable UPPER_SNAKE name of the cause; empty where the peer gave none.
  std::string reason = {};
  /// Who defines `reason`: `tickmesh`, or empty where the peer gave none.
  std::string domain = {};
  /// Every dynamic value of the message, by lowerCamel name.
  std::map<std::string, std::string> metadata = {};
  /// Finds the call in the servers' logs; empty where no server was reached.
  std::string request_id = {};
  /// What is wrong with the request, part by part.
  std::vector<Violation> violations = {};
  /// What the call was about, as kind and name, where the server said so.
  std::string resource_type = {};
  std::string resource_name = {};
  /// How long to wait before a retry, where the server said so.
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;

  /// Whether the same call may succeed later: the peer was away, or said when to come back.
  bool retryable() const { return code == ErrorCode::kUnavailable || retry_after.has_value(); }
};

/// Carries an `ErrorDetails` inside an `arrow::Status`.
class TICKMESH_EXPORT StatusDetail final : public arrow::StatusDetail {
 public:
  explicit StatusDetail(ErrorDetails details) : details_(std::move(details)) {}

  const char* type_id() const override;
  /// Code, reason and violations on one line; the message is the status's own.
  std::string ToString() const override;

  const ErrorDetails& details() const { return details_; }

 private:
  ErrorDetails details_;
};

/// The details of a status; null when it is OK or not one of this library's.
TICKMESH_EXPORT const ErrorDetails* GetErrorDetails(const arrow::Status& status);

/// The reason of a status; empty when it has none.
TICKMESH_EXPORT std::string_view ReasonOf(const arrow::Status& status);

/// Make a failed status.
///
/// Its Arrow code is the nearest: Invalid for INVALID_ARGUMENT and FAILED_PRECONDITION, KeyError
/// for NOT_FOUND, IndexError for OUT_OF_RANGE, CapacityError for RESOURCE_EXHAUSTED, Cancelled,
/// AlreadyExists, NotImplemented, IOError for UNAVAILABLE, DEADLINE_EXCEEDED, UNAUTHENTICATED and
/// PERMISSION_DENIED, UnknownError for the rest. Callers that must tell causes apart read the
/// details.
///
/// \param message what was expected, what came, what to do.
/// \param details the code, the reason and what else is known.
TICKMESH_EXPORT arrow::Status MakeError(std::string message, ErrorDetails details);

}  // namespace tickmesh
