#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "arrow/result.h"
#include "mapping/json_value.h"
#include "mapping/keywords.h"
#include "mapping/reference_index.h"
#include "tickmesh/arrow_schema.h"

namespace tickmesh::internal {

/// A schema: read exactly, checked within bounds, unchanged from then on.
///
/// Checked is all that the mapping depends on. What only validation depends on (whether regular
/// expressions compile, whether defaults are valid) is the registry's to check.
class SchemaDocument {
 public:
  /// \param text the schema, UTF-8.
  /// \param references pinned schemas by the name that `$ref` uses.
  ///
  /// Fails with INVALID_ARGUMENT, the reason, and the pointer of the first thing wrong.
  static arrow::Result<std::unique_ptr<SchemaDocument>> Parse(
      std::string_view text, const std::vector<ReferencedSchema>& references);

  const JsonValue& root() const { return root_; }
  Dialect dialect() const { return dialect_; }
  const ReferenceIndex& index() const { return index_; }
  ReferenceIndex& index() { return index_; }

 private:
  SchemaDocument(JsonValue root, Dialect dialect, PinnedDocuments references);

  arrow::Status CheckSubschema(const JsonValue& schema) const;

  JsonValue root_;
  Dialect dialect_;
  PinnedDocuments references_;
  ReferenceIndex index_;
};

}  // namespace tickmesh::internal
