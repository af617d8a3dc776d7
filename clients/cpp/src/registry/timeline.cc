#include "registry/timeline.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tickmesh::internal {

namespace {

bool ByNumber(const SchemaPointer& left, const SchemaPointer& right) {
  return left->version < right->version;
}

bool ByEffect(const SchemaPointer& left, const SchemaPointer& right) {
  return std::tie(left->effective_from_ns, left->version) <
         std::tie(right->effective_from_ns, right->version);
}

}  // namespace

Timeline::Timeline(std::string subject, std::vector<SchemaPointer> versions, std::int64_t revision)
    : subject_(std::move(subject)), revision_(revision), versions_(std::move(versions)) {
  std::sort(versions_.begin(), versions_.end(), ByNumber);
  for (const SchemaPointer& schema : versions_) {
    if (!IsLive(schema->state)) continue;
    live_.push_back(schema);
    latest_ = schema;
  }
  std::sort(live_.begin(), live_.end(), ByEffect);
}

std::shared_ptr<const Timeline> Timeline::With(const SchemaPointer& schema,
                                               std::int64_t revision) const {
  const auto place = std::lower_bound(versions_.begin(), versions_.end(), schema, ByNumber);
  const bool held = place != versions_.end() && (*place)->version == schema->version;
  if (held) {
    // Other versions may still be told of from earlier revisions; this one may not.
    const auto known = known_at_.find(schema->version);
    if (revision <= std::max(revision_, known == known_at_.end() ? 0 : known->second)) {
      return nullptr;
    }
  }
  std::vector<SchemaPointer> versions = versions_;
  const auto index = place - versions_.begin();
  if (held) {
    versions[static_cast<std::size_t>(index)] = schema;
  } else {
    versions.insert(versions.begin() + index, schema);
  }
  auto changed = std::make_shared<Timeline>(subject_, std::move(versions), revision_);
  changed->known_at_ = known_at_;
  changed->known_at_[schema->version] = revision;
  return changed;
}

SchemaPointer Timeline::Version(std::int32_t version) const {
  // Numbers are dense, as a rule.
  const auto guess = static_cast<std::size_t>(version) - 1;
  if (guess < versions_.size() && versions_[guess]->version == version) return versions_[guess];
  const auto place = std::lower_bound(
      versions_.begin(), versions_.end(), version,
      [](const SchemaPointer& schema, std::int32_t number) { return schema->version < number; });
  return place != versions_.end() && (*place)->version == version ? *place : nullptr;
}

SchemaPointer Timeline::InForce(std::int64_t at_ns) const {
  const auto after = std::upper_bound(live_.begin(), live_.end(), at_ns,
                                      [](std::int64_t instant, const SchemaPointer& schema) {
                                        return instant < schema->effective_from_ns;
                                      });
  return after == live_.begin() ? nullptr : *std::prev(after);
}

SchemaPointer Timeline::InForce(std::int64_t at_ns, std::int64_t known_at_ns) const {
  const SchemaPointer* found = nullptr;
  for (const SchemaPointer& schema : live_) {
    if (schema->effective_from_ns > at_ns) break;
    if (schema->registered_at_ns <= known_at_ns) found = &schema;
  }
  return found == nullptr ? nullptr : *found;
}

}  // namespace tickmesh::internal
