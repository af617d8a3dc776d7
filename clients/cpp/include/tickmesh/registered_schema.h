#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/type_fwd.h"
#include "tickmesh/export.h"

namespace tickmesh {

/// The life-cycle state of a version.
enum class VersionState {
  /// A state that this library does not know yet; not live.
  kUnknown = 0,
  kActive = 1,
  /// Still readable and in force where it was, but new writers should move on.
  kDeprecated = 2,
  /// Hidden from latest and in force.
  kDeleted = 3,
  /// Removed for good: number, id and fingerprint stay, texts are gone.
  kRemoved = 4,
};

/// The state's name, such as `deprecated`.
TICKMESH_EXPORT std::string_view VersionStateName(VersionState state);

/// Whether a version in this state can be latest and in force.
constexpr bool IsLive(VersionState state) {
  return state == VersionState::kActive || state == VersionState::kDeprecated;
}

/// What a registration did to its subject, whatever the compatibility mode.
enum class RegistrationAction {
  /// An action that this library does not know yet.
  kUnknown = 0,
  kFirst = 1,
  /// Rows valid under the version before are proven valid under this one.
  kCompatibleChange = 2,
  /// That is refuted, or not proven.
  kBreakingChange = 3,
};

/// The action's name, such as `compatible_change`.
TICKMESH_EXPORT std::string_view RegistrationActionName(RegistrationAction action);

/// Who made a change, how that identity was established, and by which request.
struct TICKMESH_EXPORT Actor {
  /// `anonymous` when no identity is configured.
  std::string principal = {};
  /// `none`, `token` or `mtls`.
  std::string authentication = {};
  /// Empty when it acted for itself.
  std::string on_behalf_of = {};
  std::string request_id = {};
};

/// How many rows fail for one reason.
struct TICKMESH_EXPORT FailingRows {
  /// The keyword or rule that fails, for example `minimum`.
  std::string reason = {};
  /// JSON Pointer into the row.
  std::string path = {};
  std::int64_t rows = 0;
};

/// What was found in data before a registration; kept with the version as evidence.
struct TICKMESH_EXPORT DataReport {
  /// What was looked at, for example `ticks.trades@1042`.
  std::string source = {};
  std::optional<std::int64_t> made_at_ns = std::nullopt;
  std::int64_t rows_checked = 0;
  std::int64_t rows_rejected = 0;
  /// Rows in quarantine that would be released.
  std::int64_t rows_released = 0;
  std::vector<FailingRows> reasons = {};
  /// Of the candidate that was looked at.
  std::string fingerprint = {};
};

/// One version of a subject. All but state and note is immutable in the registry; a held one never
/// changes, a later state is another value. Instants are nanoseconds since the Unix epoch, UTC.
struct TICKMESH_EXPORT RegisteredSchema {
  std::string subject = {};
  /// The number within the subject, 1 or more, never reused.
  std::int32_t version = 0;
  /// Shared by versions with one fingerprint.
  std::int32_t schema_id = 0;
  /// Hexadecimal SHA-256 of the canonical form and of pinned references.
  std::string fingerprint = {};
  /// As registered; empty once the version was removed for good.
  std::string text = {};
  VersionState state = VersionState::kUnknown;
  RegistrationAction action = RegistrationAction::kUnknown;
  std::int64_t registered_at_ns = 0;
  std::int64_t effective_from_ns = 0;
  /// The registry revision that registered it.
  std::int64_t revision = 0;
  std::map<std::string, std::string> labels = {};
  Actor actor = {};
  /// The Arrow projection the registry made, with field ids and roles in its metadata. Null once
  /// the version was removed for good, and where what came is no Arrow schema.
  std::shared_ptr<arrow::Schema> arrow_schema = nullptr;
  /// The versions pinned at registration, by the `$ref` that names them.
  std::map<std::string, std::shared_ptr<const RegisteredSchema>> referenced = {};
  /// Why it was deprecated and what to use instead.
  std::string deprecation_note = {};
  std::optional<DataReport> data_report = std::nullopt;
};

}  // namespace tickmesh
