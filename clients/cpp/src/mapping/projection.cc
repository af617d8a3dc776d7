#include "mapping/projection.h"

#include <algorithm>
#include <string>
#include <utility>

#include "mapping/arrow_type_name.h"
#include "mapping/field_ids.h"
#include "mapping/field_metadata.h"
#include "mapping/location.h"
#include "mapping/roles.h"
#include "mapping/schema_error.h"
#include "mapping/schema_limits.h"
#include "mapping/text_length.h"

namespace tickmesh::internal {

namespace {

/// A type, and what the metadata of its column says; nothing where the key is empty.
struct Column {
  std::shared_ptr<arrow::DataType> type;
  std::string key = {};
  std::string value = {};
};

std::string Joined(const JsonTypes& types) { return types.empty() ? "nothing" : types.ToString(); }

/// Projects locations; remembers those it is inside of, so that recursion ends.
class Projector {
 public:
  arrow::Result<arrow::FieldVector> Fields(const Location& location) {
    around_.push_back(location.key());
    arrow::FieldVector fields;
    fields.reserve(location.declared().size());
    for (const std::string& name : location.declared()) {
      ARROW_ASSIGN_OR_RAISE(auto field, Field(location, name));
      fields.push_back(std::move(field));
    }
    around_.pop_back();
    return fields;
  }

 private:
  arrow::Result<std::shared_ptr<arrow::Field>> Field(const Location& location,
                                                     const std::string& name) {
    const std::size_t length = CharactersIn(name);
    if (length > kLongestName || name.find('\0') != std::string::npos) {
      JsonPath path = location.PathTo(name);
      if (!path.empty()) path.pop_back();
      return SchemaError(
          "INVALID_FIELD_NAME",
          "a name has at most " + std::to_string(kLongestName) +
              " characters and no NUL, which many readers of Arrow take as its end; " +
              Quoted(name, 40) + " has " + std::to_string(length),
          PointerOf(path));
    }
    fields_.emplace_back(&location, &name);
    ARROW_ASSIGN_OR_RAISE(const Location child, location.Child(name));
    ARROW_ASSIGN_OR_RAISE(auto field, ColumnOf(child, name));
    if (!location.Requires(name)) field = field->WithNullable(true);
    fields_.pop_back();
    return field;
  }

  /// Project the values at a location as a field that is nullable if they admit null.
  arrow::Result<std::shared_ptr<arrow::Field>> ColumnOf(const Location& location,
                                                        const std::string& name) {
    ARROW_RETURN_NOT_OK(CountColumn(location));
    ARROW_ASSIGN_OR_RAISE(auto column, Stated(location));
    if (column.type == nullptr) {
      ARROW_ASSIGN_OR_RAISE(column, Inferred(location));
    }
    // What admits no value at all may still be of the type null, which holds nothing else.
    const bool is_nullable = location.AcceptsNull() || column.type->id() == arrow::Type::NA;
    auto field = arrow::field(name, std::move(column.type), is_nullable);
    return column.key.empty() ? field : WithEntry(*field, column.key, column.value);
  }

  arrow::Status CountColumn(const Location& location) {
    if (++count_ > kMaxFields) {
      return SchemaError("TOO_MANY_FIELDS",
                         "following every $ref, a row has more than " + std::to_string(kMaxFields) +
                             " fields; use fewer",
                         Pointer());
    }
    if (location.facts().work() <= kMaxWork) return arrow::Status::OK();
    return SchemaError("TOO_MANY_SUBSCHEMAS",
                       "too many schemas speak of too many fields at once; use fewer under allOf, "
                       "anyOf and oneOf",
                       Pointer());
  }

  arrow::Result<Column> Inferred(const Location& location) {
    const JsonTypes admitted = location.Types();
    JsonTypes types = admitted.Without(JsonTypes::kNull);
    if (types.Has(JsonTypes::kNumber)) types = types.Without(JsonTypes::kInteger);
    if (types.empty() && !location.never() && admitted.Has(JsonTypes::kNull)) {
      return Column{arrow::null()};
    }
    const bool comes_again =
        std::find(around_.begin(), around_.end(), location.key()) != around_.end();
    if (types.is_one() && !comes_again) {
      if (types == JsonTypes::kInteger) return Column{arrow::int64()};
      if (types == JsonTypes::kNumber) return Column{arrow::float64()};
      if (types == JsonTypes::kBoolean) return Column{arrow::boolean()};
      if (types == JsonTypes::kString) return Column{TextType(location)};
      ARROW_ASSIGN_OR_RAISE(auto nested, Nested(location, types == JsonTypes::kArray));
      if (nested != nullptr) return Column{std::move(nested)};
    }
    return Column{arrow::utf8(), kEncodingKey, "json"};
  }

  std::shared_ptr<arrow::DataType> TextType(const Location& location) const {
    const auto form = location.Form();
    if (form == TextForm::kDateTime) return arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    if (form == TextForm::kDate) return arrow::date32();
    if (form == TextForm::kTime) return arrow::time64(arrow::TimeUnit::NANO);
    if (form == TextForm::kListed && !IsNested()) {
      return arrow::dictionary(arrow::int32(), arrow::utf8());
    }
    return arrow::utf8();
  }

  /// Whether what is projected stands inside a field of the row.
  bool IsNested() const { return around_.size() > 1; }

  /// The type of lists, structs and maps; null for what is neither.
  arrow::Result<std::shared_ptr<arrow::DataType>> Nested(const Location& location, bool is_list) {
    if (around_.size() > kDeepestType) {
      return SchemaError("TOO_DEEP",
                         "lists, objects and maps nest deeper than " +
                             std::to_string(kDeepestType) + " levels; flatten them",
                         Pointer());
    }
    if (!is_list && location.is_struct()) {
      ARROW_ASSIGN_OR_RAISE(auto fields, Fields(location));
      return arrow::struct_(std::move(fields));
    }
    around_.push_back(location.key());
    ARROW_ASSIGN_OR_RAISE(
        auto inner, is_list ? Alike(location.Items(), "item") : Alike(location.Values(), "value"));
    around_.pop_back();
    if (inner == nullptr) return nullptr;
    if (is_list) return arrow::list(std::move(inner));
    return arrow::map(arrow::utf8(), std::move(inner));
  }

  /// One field for the values of several locations; null when there are none or types differ.
  arrow::Result<std::shared_ptr<arrow::Field>> Alike(const std::vector<Location>& locations,
                                                     const std::string& name) {
    std::shared_ptr<arrow::Field> first;
    bool is_nullable = false;
    bool differs = false;
    for (const Location& location : locations) {
      ARROW_ASSIGN_OR_RAISE(auto field, ColumnOf(location, name));
      is_nullable = is_nullable || field->nullable();
      if (first == nullptr) {
        first = std::move(field);
      } else {
        differs =
            differs || !first->type()->Equals(*field->type()) || !SameMetadata(*first, *field);
      }
    }
    if (first == nullptr || differs) return nullptr;
    return first->WithNullable(is_nullable);
  }

  static bool SameMetadata(const arrow::Field& left, const arrow::Field& right) {
    if (left.HasMetadata() != right.HasMetadata()) return false;
    return !left.HasMetadata() || left.metadata()->Equals(*right.metadata());
  }

  /// The type that `arrow` asks for; none where nobody asks. A column has one, whoever states it.
  arrow::Result<Column> Stated(const Location& location) {
    std::string first;
    const Part* stating = nullptr;
    bool differs = false;
    for (const Part& part : location.parts()) {
      const JsonValue* asked = part.source().Find("arrow");
      if (asked == nullptr) continue;
      const std::string text = asked->Canonical();
      if (stating == nullptr || text == first) {
        first = text;
        stating = &part;
      } else {
        differs = true;
      }
    }
    if (stating == nullptr) return Column{};
    const JsonValue& text = *stating->source().Find("arrow");
    if (differs || !text.is_string()) {
      return Refuse(*stating, location, "one type is expected, a string; " + Quoted(first));
    }
    auto asked = ParseArrowType(text.text());
    if (!asked.ok()) return Refuse(*stating, location, asked.status().message());
    ARROW_RETURN_NOT_OK(Check(*asked, text.text(), location, *stating));
    if (!asked->scale.has_value()) return Column{asked->type};
    return Column{asked->type, kScaleKey, std::to_string(*asked->scale)};
  }

  arrow::Status Check(const ArrowTypeName& asked, const std::string& text, const Location& location,
                      const Part& part) const {
    const JsonTypes wanted = location.Types().Without(JsonTypes::kNull);
    if (!wanted.IsWithin(asked.holds) && wanted != JsonTypes::All().Without(JsonTypes::kNull)) {
      return Refuse(part, location,
                    text + " holds " + Joined(asked.holds) +
                        "; by the rest of the schema the value may be " + Joined(wanted));
    }
    if (IsNested() && asked.type->id() == arrow::Type::DICTIONARY) {
      return Refuse(part, location, text + " is taken for fields of the row itself; use utf8");
    }
    if (asked.format.empty() || !wanted.Has(JsonTypes::kString)) return arrow::Status::OK();
    const auto form = location.Form();
    if (form.has_value() && *form != TextForm::kListed && TextFormName(*form) != asked.format) {
      return Refuse(part, location,
                    text + " holds " + asked.format + "; the strings here are a " +
                        std::string(TextFormName(*form)));
    }
    return arrow::Status::OK();
  }

  arrow::Status Refuse(const Part& part, const Location& location,
                       const std::string& message) const {
    std::vector<std::string> names;
    for (const auto& [around, name] : fields_) names.push_back(*name);
    const JsonPath* path = location.facts().document().index().PathOf(part.source());
    return SchemaError("INVALID_ARROW_TYPE",
                       "the arrow keyword of " + Quoted(JoinPath(names)) + ": " + message,
                       path == nullptr ? Pointer() : PointerOf(Below(*path, {"arrow"})));
  }

  /// The nearest field around that the document itself names.
  std::string Pointer() const {
    for (auto around = fields_.rbegin(); around != fields_.rend(); ++around) {
      const auto& [location, name] = *around;
      for (const Part& part : location->parts()) {
        const JsonPath* path = location->facts().document().index().PathOf(part.source());
        const JsonValue* properties = part.keywords.Find("properties");
        if (path != nullptr && properties != nullptr && properties->Find(*name) != nullptr) {
          return PointerOf(Below(*path, {"properties", *name}));
        }
      }
    }
    return "";
  }

  std::vector<Location::Key> around_;
  std::vector<std::pair<const Location*, const std::string*>> fields_;
  std::size_t count_ = 0;
};

}  // namespace

arrow::Result<arrow::FieldVector> ProjectFields(const SchemaDocument& document) {
  SchemaFacts facts(document);
  const Location root(&facts, {{&document.root(), false}});
  if (root.never() || !root.Types().Has(JsonTypes::kObject)) {
    return SchemaError("NO_ROW",
                       "no row can exist under this schema: the root admits no object; rows are "
                       "objects");
  }
  ARROW_ASSIGN_OR_RAISE(auto fields, Projector().Fields(root));
  return WithRoles(root, std::move(fields));
}

}  // namespace tickmesh::internal
