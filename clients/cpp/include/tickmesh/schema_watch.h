#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/result.h"
#include "arrow/status.h"
#include "tickmesh/export.h"
#include "tickmesh/registered_schema.h"
#include "tickmesh/schema_change.h"

namespace tickmesh {

/// What an entry of the registry's change log did.
enum class ChangeKind {
  /// A kind that this library does not know yet.
  kUnknown = 0,
  kVersionRegistered = 1,
  kRegistrationRejected = 2,
  kVersionDeprecated = 3,
  /// Soft-deleted, or removed for good.
  kVersionDeleted = 4,
  kVersionRestored = 5,
  /// Compatibility settings changed.
  kPolicyChanged = 6,
};

/// The kind's name, such as `version_registered`.
TICKMESH_EXPORT std::string_view ChangeKindName(ChangeKind kind);

/// How a change moved its version across the states and labels of a watch.
enum class FilterTransition {
  kNone = 0,
  /// It matches only since this change.
  kEntered = 1,
  /// It matched only before this change.
  kLeft = 2,
};

/// How candidates are judged, inherited values filled in.
struct TICKMESH_EXPORT CompatibilitySettings {
  /// Such as `BACKWARD_TRANSITIVE`.
  std::string mode = {};
  /// Such as `record`.
  std::string policy = {};
  /// What an undecided comparison does: `refuse` or `warn`.
  std::string undecided = {};
};

/// One entry of the change log.
struct TICKMESH_EXPORT ChangeEvent {
  std::int64_t revision = 0;
  /// The position within the revision, from 0.
  std::int32_t sequence = 0;
  ChangeKind kind = ChangeKind::kUnknown;
  /// Empty for global settings.
  std::string subject = {};
  /// The version after the change; null for policy changes and refusals.
  std::shared_ptr<const RegisteredSchema> schema = nullptr;
  /// The version before it, if the watch asked for previous versions and there is one.
  std::shared_ptr<const RegisteredSchema> previous = nullptr;
  std::optional<CompatibilityReport> report = std::nullopt;
  std::optional<CompatibilitySettings> settings = std::nullopt;
  std::string rejected_text = {};
  FilterTransition transition = FilterTransition::kNone;
  Actor actor = {};
  /// By the registry's clock, nanoseconds since the Unix epoch.
  std::int64_t changed_at_ns = 0;
};

/// Where a watch without a position begins.
enum class WatchBegin {
  /// With what happens from now on.
  kNow,
  /// With the matching versions as they are, then everything after them.
  kSnapshot,
};

/// What to watch; filters that are empty ask nothing.
struct TICKMESH_EXPORT WatchOptions {
  std::vector<std::string> subjects = {};
  std::string subject_prefix = {};
  std::vector<ChangeKind> kinds = {};
  /// Of registrations and refusals; other kinds pass.
  std::vector<RegistrationAction> actions = {};
  /// Of the version before or after the change.
  std::vector<VersionState> states = {};
  /// All of these labels.
  std::map<std::string, std::string> labels = {};
  /// Of registrations and refusals; other kinds pass.
  std::vector<Verdict> verdicts = {};
  /// Go on behind a message of an earlier watch: its `token`. Wins over what follows.
  std::string after_token = {};
  /// Begin after this revision, exclusive.
  std::optional<std::int64_t> after_revision = std::nullopt;
  /// Where to begin without either.
  WatchBegin begin = WatchBegin::kNow;
  /// Whether events carry the version before the change.
  bool include_previous = false;
  /// Word at least this often that nothing is missing, 1 to 60 s. A stream that is silent for three
  /// times as long is left, together with its connection.
  std::chrono::milliseconds progress_interval = std::chrono::seconds(10);
  /// Told why a stream ended, before it is resumed. Called by the thread in `Next`; must not throw.
  std::function<void(const arrow::Status&)> on_interruption = {};
};

/// What a message of a watch is.
enum class WatchMessageKind {
  /// All matching events of one revision.
  kEvents,
  /// All matching versions as of `revision`, each as an event.
  kSnapshot,
  /// Nothing is missing up to `revision`.
  kProgress,
};

/// One message of a watch.
struct TICKMESH_EXPORT WatchMessage {
  WatchMessageKind kind = WatchMessageKind::kProgress;
  std::int64_t revision = 0;
  /// Keep it once the message is handled: a watch after it goes on from there.
  std::string token = {};
  std::vector<ChangeEvent> events = {};
};

/// The registry's change log as it grows, one whole revision a message, in order, each once.
///
/// When the connection fails, the registry goes down or drains, the watch goes on where it was.
/// `Next` is for one thread; `Close` may be called by another and ends it. A watch has a connection
/// of its own and may outlive the client that opened it.
class TICKMESH_EXPORT SchemaWatch {
 public:
  class Impl;

  explicit SchemaWatch(std::unique_ptr<Impl> impl);
  SchemaWatch(const SchemaWatch&) = delete;
  SchemaWatch& operator=(const SchemaWatch&) = delete;
  /// Closes the watch.
  ~SchemaWatch();

  /// Wait for the next message.
  ///
  /// \param timeout how long to wait; for ever when unset.
  /// \return the message; nothing once the timeout has passed without any.
  ///
  /// Fails with CANCELLED, reason CLOSED, once the watch is closed, and for good with what the
  /// registry said where going on cannot help: OUT_OF_RANGE with REVISION_COMPACTED or
  /// REVISION_IN_FUTURE, FAILED_PRECONDITION with EPOCH_CHANGED (the token is of another store:
  /// take a snapshot), PERMISSION_DENIED, UNAUTHENTICATED, INVALID_ARGUMENT.
  arrow::Result<std::optional<WatchMessage>> Next(
      std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// How often the stream was interrupted and resumed.
  std::int64_t interruptions() const;

  /// End the watch. Safe to call twice, and from another thread.
  void Close();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tickmesh
