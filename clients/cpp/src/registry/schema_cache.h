#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/bounded_map.h"
#include "registry/schema_pointer.h"
#include "registry/striped_mutex.h"
#include "registry/timeline.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh::internal {

/// Timelines by subject, and single versions by id and fingerprint, kept true by the change log.
///
/// A subject is loaded whole at some revision; every later event of it is applied. Events that
/// arrive while a load is under way wait for it. No expiry times, no polling.
class SchemaCache {
 public:
  struct Found {
    /// Whether the subject is held.
    bool held = false;
    SchemaPointer schema = nullptr;
  };

  /// A load under way; given up when destroyed before it is finished.
  class Load {
   public:
    Load(SchemaCache* cache, std::string subject);
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load();

    /// Hold the versions as of `revision`, with the events that waited applied.
    ///
    /// \return the timeline; null when the answer is older than what is known already (a replica
    ///     lags), or of another store: begin again.
    std::shared_ptr<const Timeline> Finish(std::vector<SchemaPointer> versions,
                                           std::int64_t revision);

   private:
    friend class SchemaCache;

    SchemaCache* const cache_;
    const std::string subject_;
    std::int64_t session_ = 0;
    std::int64_t required_ = 0;
    std::vector<std::pair<std::int64_t, SchemaPointer>> waiting_;
    std::list<Load*>::iterator place_;
  };

  explicit SchemaCache(const SchemaCacheOptions& options);

  /// What `choose` takes from the subject's timeline, if that is held; counts a hit or a miss.
  template <typename Choose>
  Found Lookup(std::string_view subject, Choose&& choose) {
    const Reading reading(this);
    const auto* found = timelines_.Find(subject);
    reading.Count(found != nullptr);
    if (found == nullptr) return {};
    return {.held = true, .schema = choose(**found)};
  }

  /// The subject's timeline, null if it is not held; counts a hit or a miss.
  std::shared_ptr<const Timeline> TimelineOf(std::string_view subject);

  /// The subject's timeline, null if it is not held; counts nothing.
  std::shared_ptr<const Timeline> Held(std::string_view subject);

  /// A held version that carries a schema id or fingerprint; counts a hit or a miss.
  SchemaPointer ById(std::int32_t schema_id);
  SchemaPointer ByFingerprint(std::string_view fingerprint);

  /// A held version; counts nothing.
  SchemaPointer Version(std::string_view subject, std::int32_t version);

  /// Take up a change.
  void Apply(const ChangeEvent& event);

  /// Everything up to `revision` was applied.
  void Followed(std::int64_t revision);

  /// Hold a version as the registry answered it at `revision`.
  void Add(const SchemaPointer& schema, std::int64_t revision);

  /// Begin to follow the change log after `revision`.
  ///
  /// \param gap whether events before it may have been missed, or belong to another store.
  /// \return the subjects that have to be loaded again to be true.
  std::vector<std::string> Restart(std::int64_t revision, bool gap);

  /// Forget a subject.
  void Drop(const std::string& subject);

  /// Hits, misses and subjects.
  void Count(CacheStatistics* statistics);

 private:
  struct alignas(128) Counters {
    std::atomic<std::int64_t> hits{0};
    std::atomic<std::int64_t> misses{0};
  };

  /// Reads under the stripe of the calling thread.
  class Reading {
   public:
    explicit Reading(SchemaCache* cache)
        : stripe_(StripedMutex::ThreadStripe()),
          counters_(cache->counters_[stripe_]),
          lock_(cache->mutex_.stripe(stripe_)) {}

    void Count(bool hit) const {
      (hit ? counters_.hits : counters_.misses).fetch_add(1, std::memory_order_relaxed);
    }

   private:
    const std::size_t stripe_;
    Counters& counters_;
    const std::lock_guard<std::mutex> lock_;
  };

  void Hold(std::shared_ptr<const Timeline> timeline);
  void HoldSingle(const SchemaPointer& schema);

  StripedMutex mutex_;  // guards what follows
  BoundedMap<std::string, std::shared_ptr<const Timeline>> timelines_;
  BoundedMap<std::int32_t, SchemaPointer> by_id_;
  BoundedMap<std::string, SchemaPointer> by_fingerprint_;
  /// Versions of subjects that need not be held, by subject and number: what others refer to.
  BoundedMap<std::string, SchemaPointer> by_name_;
  std::list<Load*> loads_;
  /// How often following began anew.
  std::int64_t session_ = 0;
  std::int64_t followed_ = 0;

  std::array<Counters, StripedMutex::kStripes> counters_;
};

}  // namespace tickmesh::internal
