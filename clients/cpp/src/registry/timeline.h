#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "registry/schema_pointer.h"

namespace tickmesh::internal {

/// Every version of a subject as of a registry revision. Never changes; `With` copies.
class Timeline {
 public:
  /// \param versions of the subject as they stood at `revision`, in any order.
  Timeline(std::string subject, std::vector<SchemaPointer> versions, std::int64_t revision);

  /// The timeline with `schema` in place of its version, as it stood at `revision`; null when that
  /// very version is known from `revision` or a later one.
  std::shared_ptr<const Timeline> With(const SchemaPointer& schema, std::int64_t revision) const;

  const std::string& subject() const { return subject_; }
  /// The revision at which all versions were read.
  std::int64_t revision() const { return revision_; }
  /// Ascending by number.
  const std::vector<SchemaPointer>& versions() const { return versions_; }

  /// One version, whatever its state; null when there is none.
  SchemaPointer Version(std::int32_t version) const;

  /// The highest version that is not deleted; null when there is none.
  const SchemaPointer& Latest() const { return latest_; }

  /// The version with the greatest (effective_from, version) not after `at_ns`, whenever it was
  /// registered; null when there is none.
  SchemaPointer InForce(std::int64_t at_ns) const;

  /// The same of the versions registered by `known_at_ns`.
  SchemaPointer InForce(std::int64_t at_ns, std::int64_t known_at_ns) const;

 private:
  const std::string subject_;
  const std::int64_t revision_;
  std::vector<SchemaPointer> versions_;
  /// Versions that were told of later than `revision_`: number → revision.
  std::unordered_map<std::int32_t, std::int64_t> known_at_;
  SchemaPointer latest_;
  /// Live versions, ascending by (effective_from, version).
  std::vector<SchemaPointer> live_;
};

}  // namespace tickmesh::internal
