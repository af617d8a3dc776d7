#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tickmesh/export.h"
#include "tickmesh/registered_schema.h"

namespace tickmesh {

/// A three-valued answer.
enum class Verdict {
  /// A verdict that this library does not know yet.
  kUnknown = 0,
  kCompatible = 1,
  /// Refuted; a witness shows it.
  kIncompatible = 2,
  /// Neither proven nor refuted.
  kUndecided = 3,
};

/// The verdict's name, such as `incompatible`.
TICKMESH_EXPORT std::string_view VerdictName(Verdict verdict);

/// One structural change that a report judges.
struct TICKMESH_EXPORT JudgedChange {
  /// The registered version that the candidate was compared with.
  std::int32_t compared_version = 0;
  /// `BACKWARD` or `FORWARD`.
  std::string direction = {};
  /// In snake case, for example `required_field_added`.
  std::string kind = {};
  /// JSON Pointer into the new schema, or into the old one for what was removed.
  std::string path = {};
  Verdict verdict = Verdict::kUnknown;
  /// A stable upper-case code.
  std::string reason = {};
  std::string message = {};
  /// The name of the proof when compatible.
  std::string proof = {};
  /// When incompatible: a JSON document valid before and invalid after.
  std::string witness = {};
};

/// The answer to "may this candidate follow?".
struct TICKMESH_EXPORT CompatibilityReport {
  Verdict verdict = Verdict::kUnknown;
  /// Such as `BACKWARD_TRANSITIVE`.
  std::string mode = {};
  /// Such as `record`.
  std::string policy = {};
  /// The name and version of the checker that judged.
  std::string engine = {};
  /// Every change found, of all comparisons.
  std::vector<JudgedChange> changes = {};
};

/// What a change means to those who follow a subject.
enum class ChangeAction {
  kFirst,
  kCompatible,
  kBreaking,
  /// A registration was refused.
  kRejected,
  kDeprecated,
  kDeleted,
  kRestored,
};

/// The action's name: `first`, `compatible_change`, `breaking_change`, `rejected`, `deprecated`,
/// `deleted` or `restored`.
TICKMESH_EXPORT std::string_view ChangeActionName(ChangeAction action);

/// A change of one subject: what it means, from what, to what.
struct TICKMESH_EXPORT SchemaChange {
  ChangeAction action = ChangeAction::kFirst;
  std::string subject = {};
  /// The version before the change: the one that was latest for a registration, the same in its
  /// former state for a change of state. Null where there is none.
  std::shared_ptr<const RegisteredSchema> old_schema = nullptr;
  /// The version after the change; null for a refusal.
  std::shared_ptr<const RegisteredSchema> new_schema = nullptr;
  /// For registrations and refusals.
  std::optional<CompatibilityReport> report = std::nullopt;
  /// The text that was refused.
  std::string rejected_text = {};
  /// The registry revision that holds the change.
  std::int64_t revision = 0;
  /// By the registry's clock, nanoseconds since the Unix epoch.
  std::int64_t changed_at_ns = 0;
};

/// Which changes to be told of; what is empty asks nothing.
struct TICKMESH_EXPORT ChangeFilter {
  std::vector<std::string> subjects = {};
  /// How names of subjects begin.
  std::string subject_prefix = {};
  std::vector<ChangeAction> actions = {};

  /// Whether a change is asked for.
  bool Matches(const SchemaChange& change) const;
};

}  // namespace tickmesh
