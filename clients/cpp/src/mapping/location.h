#pragma once

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "arrow/result.h"
#include "mapping/schema_facts.h"

namespace tickmesh::internal {

/// A schema, and whether it applies only when some condition holds.
struct AppliedSchema {
  const JsonValue* schema;
  bool conditional;
};

/// One subschema at a location.
struct Part {
  Keywords keywords;
  bool conditional;

  /// The schema object as it stands in the document.
  const JsonValue& source() const { return keywords.schema(); }
};

/// All the subschemas that speak about one place in a row, taken together.
///
/// A schema says things about a field in many ways: under `properties`, through `$ref` and `allOf`
/// (always), through `anyOf`, `oneOf`, `then`, `else` and `dependentSchemas` (under a condition). A
/// location gathers them.
class Location {
 public:
  /// What is the same for two locations at which the same subschemas apply.
  using Key = std::vector<std::pair<const JsonValue*, bool>>;

  Location(SchemaFacts* facts, std::vector<AppliedSchema> applied);

  const std::vector<Part>& parts() const { return parts_; }
  const Key& key() const { return key_; }
  /// Whether an unconditional `false` stands here: no value fits.
  bool never() const { return never_; }

  /// The names declared here, in the order of the text.
  const std::vector<std::string>& declared() const { return declared_; }
  /// Whether an object here has exactly its declared names; else it is a map or opaque.
  bool is_struct() const;
  /// Whether a name is required under no condition.
  bool Requires(const std::string& name) const { return required_.contains(name); }

  /// The JSON types that values here may have; never too few.
  JsonTypes Types() const;
  /// Whether null is valid here; what stands behind conditions counts when it is alone.
  bool AcceptsNull() const;
  /// The form that all strings here have; nothing when they may be any text.
  std::optional<TextForm> Form() const;

  /// The location of the member of an object here.
  ///
  /// Fails with UNSUPPORTED_PATTERN when a pattern decides and cannot be matched.
  arrow::Result<Location> Child(const std::string& name) const;
  /// The locations of the items of a list here: those of its first places, and of the rest.
  std::vector<Location> Items() const;
  /// The locations of the values of a map here.
  std::vector<Location> Values() const;

  /// The path in the document's text to a part; empty when it stands elsewhere.
  JsonPath OwnPath(const Part& part) const;
  /// The path in the document's text to the property `name`; empty when undeclared.
  JsonPath PathTo(const std::string& name) const;

  SchemaFacts& facts() const { return *facts_; }

 private:
  void Gather(const JsonValue& schema, bool conditional,
              std::set<std::pair<const JsonValue*, bool>>* seen);
  void Declare();
  Location Item(std::optional<std::size_t> index) const;
  std::vector<const JsonValue*> AppliedAlways() const;

  SchemaFacts* facts_;
  std::vector<AppliedSchema> applied_;
  std::vector<Part> parts_;
  bool never_ = false;
  Key key_;
  std::vector<std::string> declared_;
  std::unordered_set<std::string> required_;
  /// The parts that name each member, and those that speak of members unnamed.
  std::unordered_map<std::string, std::vector<std::size_t>> naming_;
  std::vector<std::size_t> open_;
};

}  // namespace tickmesh::internal
