#include "registry/messages.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>

#include "arrow/type.h"
#include "google/protobuf/util/time_util.h"
#include "tickmesh/arrow_schema.h"

namespace tickmesh::internal {

namespace {

constexpr std::int64_t kNanosecondsASecond = 1'000'000'000;

/// A value that this library knows, else `kUnknown`.
template <typename Value>
Value Known(int number, Value last) {
  return number > 0 && number <= static_cast<int>(last) ? static_cast<Value>(number)
                                                        : static_cast<Value>(0);
}

VersionState StateOf(wire::VersionState state) { return Known(state, VersionState::kRemoved); }

RegistrationAction ActionOf(wire::Action action) {
  return Known(action, RegistrationAction::kBreakingChange);
}

Verdict VerdictOf(wire::Verdict verdict) { return Known(verdict, Verdict::kUndecided); }

std::string Without(std::string_view prefix, const std::string& name) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string ModeOf(wire::CompatibilityMode mode) {
  return Without("COMPATIBILITY_MODE_", wire::CompatibilityMode_Name(mode));
}

std::string Lowered(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) {
    return letter == '_' ? '-' : static_cast<char>(std::tolower(letter));
  });
  return name;
}

std::string PolicyOf(wire::CompatibilityPolicy policy) {
  return Lowered(Without("COMPATIBILITY_POLICY_", wire::CompatibilityPolicy_Name(policy)));
}

Actor ActorOf(const wire::Actor& message) {
  return {.principal = message.principal(),
          .authentication = message.authentication(),
          .on_behalf_of = message.on_behalf_of(),
          .request_id = message.request_id()};
}

DataReport DataReportOf(const wire::DataReport& message) {
  DataReport report{.source = message.source(),
                    .rows_checked = message.rows_checked(),
                    .rows_rejected = message.rows_rejected(),
                    .rows_released = message.rows_released(),
                    .fingerprint = message.fingerprint()};
  if (message.has_made_at()) report.made_at_ns = NanosecondsOf(message.made_at());
  for (const auto& each : message.reasons()) {
    report.reasons.push_back({each.reason(), each.path(), each.rows()});
  }
  return report;
}

/// Null for bytes that are no schema: one version that cannot be read must not hide the others.
std::shared_ptr<arrow::Schema> ArrowSchemaOf(const std::string& message) {
  if (message.empty()) return nullptr;
  return SchemaFromIpc(message).ValueOr(nullptr);
}

}  // namespace

std::int64_t NanosecondsOf(const google::protobuf::Timestamp& timestamp) {
  // A hostile peer may send any number: wrap instead of overflowing.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(timestamp.seconds()) *
                                       kNanosecondsASecond +
                                   static_cast<std::uint64_t>(timestamp.nanos()));
}

RegisteredSchema SchemaFromWire(const wire::SchemaVersion& message) {
  RegisteredSchema schema{
      .subject = message.subject(),
      .version = message.version(),
      .schema_id = message.schema_id(),
      .fingerprint = message.fingerprint(),
      .text = message.text(),
      .state = StateOf(message.state()),
      .action = ActionOf(message.action()),
      .registered_at_ns = NanosecondsOf(message.registered_at()),
      .effective_from_ns = NanosecondsOf(message.effective_from()),
      .revision = message.revision(),
      .labels = {message.labels().begin(), message.labels().end()},
      .actor = ActorOf(message.actor()),
      .arrow_schema = ArrowSchemaOf(message.arrow_schema()),
      .deprecation_note = message.deprecation_note(),
  };
  if (message.has_data_report()) schema.data_report = DataReportOf(message.data_report());
  return schema;
}

CompatibilityReport ReportFromWire(const wire::CompatibilityReport& message) {
  CompatibilityReport report{.verdict = VerdictOf(message.verdict()),
                             .mode = ModeOf(message.mode()),
                             .policy = PolicyOf(message.policy()),
                             .engine = message.engine()};
  for (const auto& comparison : message.comparisons()) {
    for (const auto& change : comparison.changes()) {
      report.changes.push_back({.compared_version = comparison.version(),
                                .direction = ModeOf(comparison.direction()),
                                .kind = change.kind(),
                                .path = change.path(),
                                .verdict = VerdictOf(change.verdict()),
                                .reason = change.reason(),
                                .message = change.message(),
                                .proof = change.proof(),
                                .witness = change.witness()});
    }
  }
  return report;
}

arrow::Result<ChangeEvent> EventFromWire(const wire::ChangeEvent& message,
                                         const SchemaReader& read) {
  ChangeEvent event{
      .revision = message.revision(),
      .sequence = message.sequence(),
      .kind = Known(message.kind(), ChangeKind::kPolicyChanged),
      .subject = message.subject(),
      .rejected_text = message.rejected_text(),
      .transition = Known(message.transition(), FilterTransition::kLeft),
      .actor = ActorOf(message.actor()),
      .changed_at_ns = NanosecondsOf(message.changed_at()),
  };
  if (message.has_schema()) {
    ARROW_ASSIGN_OR_RAISE(event.schema, read(message.schema()));
  }
  if (message.has_previous()) {
    ARROW_ASSIGN_OR_RAISE(event.previous, read(message.previous()));
  }
  if (message.has_report()) event.report = ReportFromWire(message.report());
  if (message.has_settings()) {
    const auto& settings = message.settings();
    event.settings = {
        ModeOf(settings.mode()), PolicyOf(settings.policy()),
        Lowered(Without("UNDECIDED_POLICY_", wire::UndecidedPolicy_Name(settings.undecided())))};
  }
  return event;
}

std::optional<SchemaChange> ChangeFromEvent(const ChangeEvent& event) {
  SchemaChange change;
  switch (event.kind) {
    case ChangeKind::kVersionRegistered:
      if (event.schema == nullptr) return std::nullopt;
      switch (event.schema->action) {
        case RegistrationAction::kFirst:
          change.action = ChangeAction::kFirst;
          break;
        case RegistrationAction::kCompatibleChange:
          change.action = ChangeAction::kCompatible;
          break;
        // Whoever acts on changes is safer with the graver reading of what is not known.
        case RegistrationAction::kBreakingChange:
        case RegistrationAction::kUnknown:
          change.action = ChangeAction::kBreaking;
          break;
      }
      break;
    case ChangeKind::kRegistrationRejected:
      change.action = ChangeAction::kRejected;
      break;
    case ChangeKind::kVersionDeprecated:
      change.action = ChangeAction::kDeprecated;
      break;
    case ChangeKind::kVersionDeleted:
      change.action = ChangeAction::kDeleted;
      break;
    case ChangeKind::kVersionRestored:
      change.action = ChangeAction::kRestored;
      break;
    case ChangeKind::kPolicyChanged:
    case ChangeKind::kUnknown:
      return std::nullopt;
  }
  change.subject = event.subject;
  change.old_schema = event.previous;
  change.new_schema = event.schema;
  change.report = event.report;
  change.rejected_text = event.rejected_text;
  change.revision = event.revision;
  change.changed_at_ns = event.changed_at_ns;
  return change;
}

wire::WatchRequest WatchRequestOf(const WatchOptions& options) {
  wire::WatchRequest request;
  auto& filter = *request.mutable_filter();
  filter.mutable_subjects()->Assign(options.subjects.begin(), options.subjects.end());
  filter.set_subject_prefix(options.subject_prefix);
  for (const auto kind : options.kinds) filter.add_kinds(static_cast<wire::ChangeKind>(kind));
  for (const auto action : options.actions) filter.add_actions(static_cast<wire::Action>(action));
  for (const auto state : options.states) filter.add_states(static_cast<wire::VersionState>(state));
  for (const auto& [key, value] : options.labels) (*filter.mutable_labels())[key] = value;
  for (const auto verdict : options.verdicts) {
    filter.add_verdicts(static_cast<wire::Verdict>(verdict));
  }
  if (!options.after_token.empty()) {
    request.set_after_token(options.after_token);
  } else if (options.after_revision) {
    request.set_after_revision(*options.after_revision);
  } else if (options.begin == WatchBegin::kSnapshot) {
    request.mutable_snapshot();
  } else {
    request.mutable_now();
  }
  *request.mutable_progress_interval() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(options.progress_interval.count());
  request.set_include_previous(options.include_previous);
  return request;
}

}  // namespace tickmesh::internal
