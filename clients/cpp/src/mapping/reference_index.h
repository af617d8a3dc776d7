#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arrow/result.h"
#include "mapping/json_value.h"
#include "mapping/keywords.h"
#include "mapping/schema_error.h"

namespace tickmesh::internal {

class SchemaDocument;

/// Pinned schemas by the name that `$ref` uses.
using PinnedDocuments = std::map<std::string, std::unique_ptr<SchemaDocument>, std::less<>>;

/// The subschemas of one document, their places, and where every `$ref` leads; nothing is fetched.
///
/// Subschemas are told apart by identity: the document keeps them alive and unchanged.
class ReferenceIndex {
 public:
  ReferenceIndex(const JsonValue& root, Dialect dialect, const PinnedDocuments& references);

  /// Index the document.
  ///
  /// Fails with REFERENCE_NOT_FOUND, REFERENCE_LOOP, TOO_MANY_REFERENCES, TOO_MANY_SUBSCHEMAS,
  /// TOO_DEEP, DUPLICATE_IDENTIFIER or INVALID_SCHEMA.
  arrow::Status Build();

  /// The schema that the `$ref` of a schema object, of this document or of a pinned one, leads to.
  const JsonValue& TargetOf(const JsonValue& schema) const;

  /// The path of a schema object of this document; null when it stands elsewhere.
  const JsonPath* PathOf(const JsonValue& schema) const;

  /// Every schema object of the document, parents first.
  const std::vector<const JsonValue*>& subschemas() const { return subschemas_; }

  /// The schema a reference leads to.
  arrow::Result<const JsonValue*> Resolve(std::string_view reference, const std::string& base);

 private:
  struct Place {
    JsonPath path;
    std::string base;
  };
  using Names = std::unordered_map<std::string, const JsonValue*>;

  arrow::Status Walk(const JsonValue& schema, const JsonPath& path, const std::string& base);
  arrow::Result<std::string> Name(const JsonValue& schema, const JsonPath& path, std::string base);
  static arrow::Status Claim(Names* names, const std::string& name, const JsonValue& schema,
                             const JsonPath& path);
  arrow::Status Connect();
  arrow::Result<const JsonValue*> ResolveAt(const JsonPath& path, std::string_view reference,
                                            const std::string& base);
  arrow::Result<const JsonValue*> At(const JsonValue& resource, std::string_view fragment,
                                     const std::string& base);
  SchemaDocument* PinnedAs(std::string_view name) const;

  const JsonValue& root_;
  Dialect dialect_;
  const PinnedDocuments& references_;
  std::vector<const JsonValue*> subschemas_;
  std::unordered_map<const JsonValue*, Place> places_;
  Names resources_;
  Names anchors_;
  std::unordered_map<const JsonValue*, const JsonValue*> targets_;
  std::size_t walked_ = 0;
};

}  // namespace tickmesh::internal
