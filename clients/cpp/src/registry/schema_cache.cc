#include "registry/schema_cache.h"

#include <algorithm>
#include <utility>

namespace tickmesh::internal {

namespace {

bool ChangesVersion(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kVersionRegistered:
    case ChangeKind::kVersionDeprecated:
    case ChangeKind::kVersionDeleted:
    case ChangeKind::kVersionRestored:
      return true;
    case ChangeKind::kRegistrationRejected:
    case ChangeKind::kPolicyChanged:
    case ChangeKind::kUnknown:
      return false;
  }
  return false;
}

/// No subject has a space in its name.
std::string NameOf(std::string_view subject, std::int32_t version) {
  return std::string(subject) + " " + std::to_string(version);
}

/// Hold a version unless another one is held for the key; one with a text goes first.
template <typename Key>
void HoldEarliest(const Key& key, const SchemaPointer& schema,
                  BoundedMap<Key, SchemaPointer>* held) {
  const SchemaPointer* before = held->Find(key);
  if (before == nullptr || (*before)->state == VersionState::kRemoved ||
      ((*before)->subject == schema->subject && (*before)->version == schema->version)) {
    held->Put(key, schema);
  }
}

}  // namespace

SchemaCache::Load::Load(SchemaCache* cache, std::string subject)
    : cache_(cache), subject_(std::move(subject)) {
  const std::lock_guard lock(cache_->mutex_);
  session_ = cache_->session_;
  required_ = cache_->followed_;
  place_ = cache_->loads_.insert(cache_->loads_.end(), this);
}

SchemaCache::Load::~Load() {
  const std::lock_guard lock(cache_->mutex_);
  cache_->loads_.erase(place_);
}

std::shared_ptr<const Timeline> SchemaCache::Load::Finish(std::vector<SchemaPointer> versions,
                                                          std::int64_t revision) {
  std::shared_ptr<const Timeline> timeline =
      std::make_shared<Timeline>(subject_, std::move(versions), revision);
  const std::lock_guard lock(cache_->mutex_);
  if (revision < required_ || session_ != cache_->session_) return nullptr;
  for (const auto& [at, schema] : waiting_) {
    if (at <= revision) continue;
    if (auto changed = timeline->With(schema, at)) timeline = std::move(changed);
  }
  cache_->Hold(timeline);
  return timeline;
}

SchemaCache::SchemaCache(const SchemaCacheOptions& options)
    : timelines_(options.max_subjects),
      by_id_(options.max_versions),
      by_fingerprint_(options.max_versions),
      by_name_(options.max_versions) {}

std::shared_ptr<const Timeline> SchemaCache::TimelineOf(std::string_view subject) {
  const Reading reading(this);
  const auto* found = timelines_.Find(subject);
  reading.Count(found != nullptr);
  return found == nullptr ? nullptr : *found;
}

std::shared_ptr<const Timeline> SchemaCache::Held(std::string_view subject) {
  const Reading reading(this);
  const auto* found = timelines_.Find(subject);
  return found == nullptr ? nullptr : *found;
}

SchemaPointer SchemaCache::ById(std::int32_t schema_id) {
  const Reading reading(this);
  const SchemaPointer* found = by_id_.Find(schema_id);
  reading.Count(found != nullptr);
  return found == nullptr ? nullptr : *found;
}

SchemaPointer SchemaCache::ByFingerprint(std::string_view fingerprint) {
  const Reading reading(this);
  const SchemaPointer* found = by_fingerprint_.Find(fingerprint);
  reading.Count(found != nullptr);
  return found == nullptr ? nullptr : *found;
}

SchemaPointer SchemaCache::Version(std::string_view subject, std::int32_t version) {
  const std::string name = NameOf(subject, version);
  const Reading reading(this);
  if (const auto* timeline = timelines_.Find(subject)) {
    if (SchemaPointer found = (*timeline)->Version(version)) return found;
  }
  const SchemaPointer* found = by_name_.Find(name);
  return found == nullptr ? nullptr : *found;
}

void SchemaCache::Apply(const ChangeEvent& event) {
  if (event.schema == nullptr || !ChangesVersion(event.kind)) return;
  const std::lock_guard lock(mutex_);
  for (Load* load : loads_) {
    if (load->subject_ == event.subject) load->waiting_.emplace_back(event.revision, event.schema);
  }
  const auto* held = timelines_.Find(event.subject);
  if (held == nullptr || event.revision <= (*held)->revision()) return;
  if (auto changed = (*held)->With(event.schema, event.revision)) Hold(std::move(changed));
}

void SchemaCache::Followed(std::int64_t revision) {
  const std::lock_guard lock(mutex_);
  followed_ = std::max(followed_, revision);
}

void SchemaCache::Add(const SchemaPointer& schema, std::int64_t revision) {
  const std::lock_guard lock(mutex_);
  HoldSingle(schema);
  by_name_.Put(NameOf(schema->subject, schema->version), schema);
  const auto* held = timelines_.Find(schema->subject);
  if (held == nullptr) return;
  if (auto changed = (*held)->With(schema, revision)) Hold(std::move(changed));
}

std::vector<std::string> SchemaCache::Restart(std::int64_t revision, bool gap) {
  const std::lock_guard lock(mutex_);
  ++session_;
  followed_ = revision;
  if (gap) {
    by_id_.Clear();
    by_fingerprint_.Clear();
    by_name_.Clear();
  }
  std::vector<std::string> stale;
  for (const std::string& subject : timelines_.keys()) {
    if (gap || (*timelines_.Find(subject))->revision() < revision) stale.push_back(subject);
  }
  return stale;
}

void SchemaCache::Drop(const std::string& subject) {
  const std::lock_guard lock(mutex_);
  timelines_.Erase(subject);
}

void SchemaCache::Count(CacheStatistics* statistics) {
  for (const Counters& counters : counters_) {
    statistics->hits += counters.hits.load(std::memory_order_relaxed);
    statistics->misses += counters.misses.load(std::memory_order_relaxed);
  }
  const Reading reading(this);
  statistics->subjects = static_cast<std::int64_t>(timelines_.size());
}

void SchemaCache::Hold(std::shared_ptr<const Timeline> timeline) {
  for (const SchemaPointer& schema : timeline->versions()) HoldSingle(schema);
  const std::string subject = timeline->subject();
  timelines_.Put(subject, std::move(timeline));
}

void SchemaCache::HoldSingle(const SchemaPointer& schema) {
  HoldEarliest(schema->schema_id, schema, &by_id_);
  HoldEarliest(schema->fingerprint, schema, &by_fingerprint_);
}

}  // namespace tickmesh::internal
