#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/result.h"
#include "arrow/status.h"
#include "tickmesh/connection_options.h"
#include "tickmesh/export.h"
#include "tickmesh/registered_schema.h"
#include "tickmesh/schema_change.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh {

/// Bounds of the local cache, and its clock.
struct TICKMESH_EXPORT SchemaCacheOptions {
  /// Subjects held; beyond them the one loaded first is forgotten.
  std::size_t max_subjects = 10'000;
  /// Versions held by id and fingerprint.
  std::size_t max_versions = 100'000;
  /// The background watch asks for word this often (1 to 60 s) and leaves a connection that is
  /// silent for three times as long.
  std::chrono::milliseconds progress_interval = std::chrono::seconds(10);
  /// Nanoseconds since the Unix epoch: decides which version is in force now. The system's clock
  /// when empty. Called by every thread that asks.
  std::function<std::int64_t()> now_ns = {};
};

/// The instants that a version in force is asked for, in nanoseconds since the Unix epoch.
struct TICKMESH_EXPORT InForceOptions {
  /// In force at this instant; now when unset.
  std::optional<std::int64_t> at_ns = std::nullopt;
  /// Only versions registered by then count; now when unset. A backtest sets both to the time of
  /// its event and never sees a future schema.
  std::optional<std::int64_t> known_at_ns = std::nullopt;
};

/// How the local cache is doing.
struct TICKMESH_EXPORT CacheStatistics {
  /// Lookups answered without the registry.
  std::int64_t hits = 0;
  std::int64_t misses = 0;
  /// Subjects held.
  std::int64_t subjects = 0;
  /// The registry revision up to which the change log was followed.
  std::int64_t revision = 0;
  /// Since when the change log is not being followed, nanoseconds since the Unix epoch; unset while
  /// it is.
  std::optional<std::int64_t> stale_since_ns = std::nullopt;
  /// How often the change log could not be followed without a gap (it was compacted, or the
  /// registry was restored), so that all subjects held were read anew. Changes within such a gap
  /// are not reported one by one.
  std::int64_t reloads = 0;
};

/// A subject and where it stands.
struct TICKMESH_EXPORT SubjectSummary {
  std::string name = {};
  /// 0 when every version is deleted.
  std::int32_t latest_version = 0;
  std::int32_t version_count = 0;
  /// Of its last change.
  std::int64_t revision = 0;
};

/// Ends a subscription when destroyed: then its callback does not run and will not run again.
///
/// Destroying it waits for a callback in progress, except within a callback itself. It may outlive
/// the client.
class TICKMESH_EXPORT Subscription {
 public:
  class Impl;

  Subscription();
  explicit Subscription(std::shared_ptr<Impl> impl);
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  /// End it now. Safe to call twice.
  void Cancel();

 private:
  std::shared_ptr<Impl> impl_;
};

/// The schema registry with a local cache that one background watch keeps true; may be shared by
/// threads.
///
/// The first lookup of a subject loads all its versions; from then on an answer lags the registry
/// by one delivery of the watch, and costs about as much as a lookup in a hash table. While the
/// registry is away, what is held goes on being answered, and `cache_statistics().stale_since_ns`
/// says since when. Lookups that need the registry fail with UNAVAILABLE or DEADLINE_EXCEEDED
/// within `ConnectionOptions::call_timeout` then, and work again once it is back.
class TICKMESH_EXPORT SchemaRegistryClient {
 public:
  class Impl;

  /// Make a client and begin to follow the change log; does not wait for the registry.
  ///
  /// Fails with INVALID_ARGUMENT, reason CONFIG, when the options are wrong.
  static arrow::Result<std::unique_ptr<SchemaRegistryClient>> Connect(
      const ConnectionOptions& options = {}, const SchemaCacheOptions& cache = {});

  explicit SchemaRegistryClient(std::shared_ptr<Impl> impl);
  SchemaRegistryClient(const SchemaRegistryClient&) = delete;
  SchemaRegistryClient& operator=(const SchemaRegistryClient&) = delete;
  /// Closes the client. May happen within a callback.
  ~SchemaRegistryClient();

  /// One version of a subject, whatever its state.
  ///
  /// Fails with NOT_FOUND, reason SUBJECT_NOT_FOUND or VERSION_NOT_FOUND.
  arrow::Result<std::shared_ptr<const RegisteredSchema>> Get(std::string_view subject,
                                                             std::int32_t version);

  /// The highest version of a subject that is not deleted.
  ///
  /// Fails with NOT_FOUND, reason SUBJECT_NOT_FOUND or VERSION_NOT_FOUND (all are deleted).
  arrow::Result<std::shared_ptr<const RegisteredSchema>> Latest(std::string_view subject);

  /// The version in force: the one with the greatest (`effective_from_ns`, `version`) not after an
  /// instant. A version that takes effect later takes over by this machine's clock.
  ///
  /// Fails with NOT_FOUND, reason SUBJECT_NOT_FOUND or NOTHING_IN_FORCE.
  arrow::Result<std::shared_ptr<const RegisteredSchema>> InForce(
      std::string_view subject, const InForceOptions& options = {});

  /// The earliest version that carries a schema id. Fails with NOT_FOUND, reason SCHEMA_NOT_FOUND.
  arrow::Result<std::shared_ptr<const RegisteredSchema>> ById(std::int32_t schema_id);

  /// The earliest version that carries a fingerprint. Fails as `ById`.
  arrow::Result<std::shared_ptr<const RegisteredSchema>> ByFingerprint(
      std::string_view fingerprint);

  /// Every version of a subject, ascending. Fails with NOT_FOUND, reason SUBJECT_NOT_FOUND.
  arrow::Result<std::vector<std::shared_ptr<const RegisteredSchema>>> Versions(
      std::string_view subject);

  /// Every subject whose name begins with `prefix`, by name; always asks the registry.
  arrow::Result<std::vector<SubjectSummary>> Subjects(std::string_view prefix = "");

  /// Be told of every change from now on that `filter` asks for: in order, each once, also across
  /// interruptions. The cache holds a change before the callback hears of it.
  ///
  /// \param filter which changes.
  /// \param callback called by the watch's thread without a lock held. It may use the client, close
  ///     or destroy it, and end its own subscription; it must not throw. While it runs, the cache
  ///     stands still.
  /// \return the subscription; it is in force where the watch stands, so that a program that starts
  ///     before its registry calls `WaitForRevision(0, …)` first.
  ///
  /// Fails with CANCELLED, reason CLOSED, when the client is closed, and with INVALID_ARGUMENT for
  /// an empty callback.
  arrow::Result<Subscription> OnSchemaChange(ChangeFilter filter,
                                             std::function<void(const SchemaChange&)> callback);

  /// Follow the change log by hand, on a connection of its own.
  ///
  /// Fails with INVALID_ARGUMENT, reason CONFIG, when the progress interval is out of bounds.
  arrow::Result<std::unique_ptr<SchemaWatch>> OpenWatch(const WatchOptions& options = {});

  /// Wait until the cache has seen a revision; 0 waits until the change log is being followed.
  ///
  /// Fails with DEADLINE_EXCEEDED after `timeout`, and with CANCELLED, reason CLOSED, when the
  /// client is closed meanwhile.
  arrow::Status WaitForRevision(std::int64_t revision, std::chrono::milliseconds timeout);

  /// How the local cache is doing.
  CacheStatistics cache_statistics() const;

  /// End the watch and all calls under way, which fail with CANCELLED, reason CLOSED. What is held
  /// goes on being answered. Safe to call twice, from any thread, within a callback too.
  void Close();

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace tickmesh
