#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "arrow/result.h"
#include "arrow/status.h"
#include "mapping/json_value.h"
#include "mapping/keywords.h"

namespace tickmesh::internal {

class ReferenceIndex;

/// Bounds what a schema unfolds to, and finds references that never reach a keyword.
class ReferenceExpansion {
 public:
  ReferenceExpansion(const ReferenceIndex& index, Dialect dialect)
      : index_(index), dialect_(dialect) {}

  /// Fails with REFERENCE_LOOP, TOO_MANY_REFERENCES or TOO_DEEP.
  arrow::Status Check(const JsonValue& root);

 private:
  arrow::Result<std::size_t> Size(const JsonValue& schema, int depth);
  arrow::Status CheckLoop(const JsonValue& schema, const std::string& pointer, int depth);

  const ReferenceIndex& index_;
  Dialect dialect_;
  std::unordered_map<const JsonValue*, std::size_t> sizes_;
  std::unordered_set<const JsonValue*> looping_;
  std::unordered_set<const JsonValue*> settled_;
};

}  // namespace tickmesh::internal
