#pragma once

#include <functional>
#include <string_view>

#include "arrow/status.h"
#include "mapping/json_value.h"

namespace tickmesh::internal {

/// The drafts of JSON Schema that are taken.
enum class Dialect { kDraft2020_12, kDraft07 };

/// The URI that names a dialect in `$schema`.
std::string_view DialectUri(Dialect dialect);

/// Where subschemas stand under a keyword.
enum class Holder {
  kNothing,
  /// One subschema; `items` of draft-07 may hold an array of them.
  kSingle,
  kList,
  kMap,
  /// `dependencies` of draft-07: subschemas and arrays of names.
  kDependencies,
};
Holder HolderOf(std::string_view keyword);

/// The keywords of a schema object that count: draft-07 ignores everything beside `$ref`.
class Keywords {
 public:
  Keywords(const JsonValue& schema, Dialect dialect)
      : schema_(&schema),
        reference_only_(dialect == Dialect::kDraft07 && schema.Find("$ref") != nullptr) {}

  /// The value of a keyword that counts; null when there is none.
  const JsonValue* Find(std::string_view keyword) const {
    return reference_only_ && keyword != "$ref" ? nullptr : schema_->Find(keyword);
  }
  bool Has(std::string_view keyword) const { return Find(keyword) != nullptr; }
  /// The items of a keyword's array; none when it is absent.
  const std::vector<JsonValue>& Items(std::string_view keyword) const;
  /// The members of a keyword's object; none when it is absent.
  const std::vector<std::pair<std::string, JsonValue>>& Members(std::string_view keyword) const;

  const JsonValue& schema() const { return *schema_; }
  /// Whether draft-07 ignores what stands beside `$ref` here.
  bool reference_only() const { return reference_only_; }

 private:
  const JsonValue* schema_;
  bool reference_only_;
};

/// Told a direct subschema: the keyword, the step below it (empty for none), the subschema.
using ChildVisitor = std::function<arrow::Status(std::string_view keyword, const std::string* step,
                                                 const JsonValue&)>;

/// Visit the direct subschemas of a schema object in the order of the text.
///
/// Definitions count; draft-07 siblings of `$ref` do too, because other references may lead into
/// them. Stops at the first failure.
arrow::Status VisitChildren(const JsonValue& schema, Dialect dialect, const ChildVisitor& visit);

/// Visit the subschemas that judge the very value the schema judges (`$ref` excepted).
arrow::Status VisitInPlace(const JsonValue& schema, Dialect dialect,
                           const std::function<arrow::Status(const JsonValue&)>& visit);

}  // namespace tickmesh::internal
