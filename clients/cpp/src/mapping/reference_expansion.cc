#include "mapping/reference_expansion.h"

#include <algorithm>

#include "mapping/reference_index.h"
#include "mapping/schema_error.h"
#include "mapping/schema_limits.h"

namespace tickmesh::internal {

arrow::Status ReferenceExpansion::Check(const JsonValue& root) {
  for (const JsonValue* schema : index_.subschemas()) {
    ARROW_RETURN_NOT_OK(CheckLoop(*schema, PointerOf(*index_.PathOf(*schema)), 0));
  }
  ARROW_ASSIGN_OR_RAISE(const std::size_t size, Size(root, 0));
  if (size <= kMaxExpansions) return arrow::Status::OK();
  return SchemaError("TOO_MANY_REFERENCES", "following every $ref unfolds to more than " +
                                                std::to_string(kMaxExpansions) +
                                                " subschemas; nest fewer references inside each "
                                                "other");
}

arrow::Result<std::size_t> ReferenceExpansion::Size(const JsonValue& schema, int depth) {
  if (!schema.is_object()) return 1;
  if (const auto known = sizes_.find(&schema); known != sizes_.end()) return known->second;
  if (depth > kDeepestExpansion) {
    return SchemaError(
        "TOO_DEEP", "references nest deeper than " + std::to_string(kDeepestExpansion) + " levels");
  }
  sizes_[&schema] = 1;
  std::size_t size = 1;
  const Keywords keywords(schema, dialect_);
  if (keywords.Has("$ref")) {
    ARROW_ASSIGN_OR_RAISE(const std::size_t below, Size(index_.TargetOf(schema), depth + 1));
    size += below;
  }
  if (!keywords.reference_only()) {
    ARROW_RETURN_NOT_OK(VisitChildren(
        schema, dialect_,
        [&](std::string_view keyword, const std::string* /*step*/, const JsonValue& child) {
          if (keyword == "$defs" || keyword == "definitions") return arrow::Status::OK();
          ARROW_ASSIGN_OR_RAISE(const std::size_t below, Size(child, depth + 1));
          size += below;
          return arrow::Status::OK();
        }));
  }
  return sizes_[&schema] = std::min(size, kMaxExpansions + 1);
}

arrow::Status ReferenceExpansion::CheckLoop(const JsonValue& schema, const std::string& pointer,
                                            int depth) {
  if (!schema.is_object() || settled_.contains(&schema)) return arrow::Status::OK();
  if (looping_.contains(&schema)) {
    return SchemaError("REFERENCE_LOOP",
                       "a reference leads back to itself without reaching a property or an item",
                       pointer);
  }
  if (depth > kDeepestExpansion) {
    return SchemaError("TOO_DEEP", "references nest too deeply", pointer);
  }
  looping_.insert(&schema);
  if (schema.Find("$ref") != nullptr) {
    ARROW_RETURN_NOT_OK(CheckLoop(index_.TargetOf(schema), pointer, depth + 1));
  }
  ARROW_RETURN_NOT_OK(VisitInPlace(schema, dialect_, [&](const JsonValue& child) {
    return CheckLoop(child, pointer, depth + 1);
  }));
  looping_.erase(&schema);
  settled_.insert(&schema);
  return arrow::Status::OK();
}

}  // namespace tickmesh::internal
