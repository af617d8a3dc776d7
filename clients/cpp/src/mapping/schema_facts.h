#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "mapping/json_types.h"
#include "mapping/json_value.h"
#include "mapping/name_pattern.h"
#include "mapping/schema_document.h"

namespace tickmesh::internal {

/// A form of strings that Arrow has a type of its own for.
enum class TextForm { kDateTime, kDate, kTime, kListed };

/// The form's name, as `format` names it.
std::string_view TextFormName(TextForm form);

/// What single schema objects of a document say, each worked out once.
class SchemaFacts {
 public:
  explicit SchemaFacts(const SchemaDocument& document) : document_(document) {}

  /// The JSON types that values of a schema may have; never too few.
  JsonTypes TypesOf(const JsonValue& schema);

  /// Whether null is valid under a schema; exact, no keyword for other types can matter.
  bool AcceptsNull(const JsonValue& schema);

  /// The form that all strings of a schema have; nothing when they may be any text.
  std::optional<TextForm> FormOf(const JsonValue& schema);

  /// The form that strings have under each schema that admits any; nothing when they differ.
  std::optional<TextForm> SameForm(const std::vector<const JsonValue*>& schemas);

  /// Count one subschema looked at, at one place.
  void CountWork() { ++work_; }
  /// How many were looked at so far.
  std::size_t work() const { return work_; }

  NamePatterns& patterns() { return patterns_; }
  const SchemaDocument& document() const { return document_; }

 private:
  JsonTypes WorkOutTypes(const JsonValue& schema);
  bool WorkOutNull(const JsonValue& schema);
  std::optional<TextForm> WorkOutForm(const JsonValue& schema);

  const SchemaDocument& document_;
  NamePatterns patterns_;
  std::size_t work_ = 0;
  std::unordered_map<const JsonValue*, JsonTypes> types_;
  std::unordered_map<const JsonValue*, bool> nulls_;
  std::unordered_map<const JsonValue*, std::optional<TextForm>> forms_;
};

/// The form of strings that have all these forms; a format says more than a list.
std::optional<TextForm> TogetherForm(const std::vector<std::optional<TextForm>>& forms);

}  // namespace tickmesh::internal
