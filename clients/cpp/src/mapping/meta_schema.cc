#include "mapping/meta_schema.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "mapping/schema_error.h"

namespace tickmesh::internal {

namespace {

enum class Shape {
  kString,
  kBoolean,
  kNumber,
  kPositiveNumber,
  kCount,
  kArray,
  kNames,
  kNamesByName,
  kTypes,
  kAnchor,
  kIdentifier,
  kVocabularies,
};

struct Rule {
  Shape shape;
  /// Whether draft-07 has the keyword too.
  bool in_draft_07 = true;
};

const Rule* RuleOf(std::string_view keyword) {
  static const std::unordered_map<std::string_view, Rule> kRules = {
      {"$id", {Shape::kIdentifier}},
      {"$schema", {Shape::kString}},
      {"$ref", {Shape::kString}},
      {"$comment", {Shape::kString}},
      {"title", {Shape::kString}},
      {"description", {Shape::kString}},
      {"format", {Shape::kString}},
      {"pattern", {Shape::kString}},
      {"contentEncoding", {Shape::kString}},
      {"contentMediaType", {Shape::kString}},
      {"readOnly", {Shape::kBoolean}},
      {"uniqueItems", {Shape::kBoolean}},
      {"examples", {Shape::kArray}},
      {"enum", {Shape::kArray}},
      {"multipleOf", {Shape::kPositiveNumber}},
      {"maximum", {Shape::kNumber}},
      {"exclusiveMaximum", {Shape::kNumber}},
      {"minimum", {Shape::kNumber}},
      {"exclusiveMinimum", {Shape::kNumber}},
      {"maxLength", {Shape::kCount}},
      {"minLength", {Shape::kCount}},
      {"maxItems", {Shape::kCount}},
      {"minItems", {Shape::kCount}},
      {"maxProperties", {Shape::kCount}},
      {"minProperties", {Shape::kCount}},
      {"required", {Shape::kNames}},
      {"type", {Shape::kTypes}},
      {"writeOnly", {Shape::kBoolean, false}},
      {"deprecated", {Shape::kBoolean, false}},
      {"maxContains", {Shape::kCount, false}},
      {"minContains", {Shape::kCount, false}},
      {"dependentRequired", {Shape::kNamesByName, false}},
      {"$anchor", {Shape::kAnchor, false}},
      {"$dynamicAnchor", {Shape::kAnchor, false}},
      {"$recursiveAnchor", {Shape::kAnchor, false}},
      {"$dynamicRef", {Shape::kString, false}},
      {"$recursiveRef", {Shape::kString, false}},
      {"$vocabulary", {Shape::kVocabularies, false}},
  };
  const auto found = kRules.find(keyword);
  return found == kRules.end() ? nullptr : &found->second;
}

bool IsType(const JsonValue& value) {
  static const std::set<std::string_view> kTypes = {"null",   "boolean", "integer", "number",
                                                    "string", "array",   "object"};
  return value.is_string() && kTypes.contains(value.text());
}

bool AreDistinct(const std::vector<JsonValue>& items) {
  std::set<std::string> seen;
  return std::all_of(items.begin(), items.end(), [&seen](const JsonValue& item) {
    return seen.insert(item.Canonical()).second;
  });
}

bool IsAnchor(const JsonValue& value) {
  const auto is_letter = [](char sign) {
    return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') || sign == '_';
  };
  if (!value.is_string() || value.text().empty() || !is_letter(value.text()[0])) return false;
  return std::all_of(value.text().begin(), value.text().end(), [&](char sign) {
    return is_letter(sign) || (sign >= '0' && sign <= '9') || sign == '-' || sign == '.';
  });
}

bool IsIdentifier(const JsonValue& value, Dialect dialect) {
  if (!value.is_string()) return false;
  const auto fragment = value.text().find('#');
  return dialect == Dialect::kDraft07 || fragment == std::string::npos ||
         fragment + 1 == value.text().size();
}

class Checker {
 public:
  explicit Checker(Dialect dialect) : dialect_(dialect) {}

  arrow::Status Schema(const JsonValue& schema, const JsonPath& path) {
    if (schema.is_boolean()) return arrow::Status::OK();
    if (!schema.is_object()) return Refuse(path, "a schema: an object, true or false");
    for (const auto& [keyword, value] : schema.members()) {
      ARROW_RETURN_NOT_OK(Keyword(keyword, value, Below(path, {keyword})));
    }
    return arrow::Status::OK();
  }

 private:
  static arrow::Status Refuse(const JsonPath& path, std::string_view expected) {
    const bool is_pattern = !path.empty() && path.back() == "pattern";
    return SchemaError(is_pattern ? "INVALID_PATTERN" : "INVALID_SCHEMA",
                       "no valid schema: expected " + std::string(expected), PointerOf(path));
  }

  static arrow::Status Expect(bool holds, const JsonPath& path, std::string_view expected) {
    return holds ? arrow::Status::OK() : Refuse(path, expected);
  }

  arrow::Status Keyword(std::string_view keyword, const JsonValue& value, const JsonPath& path) {
    switch (HolderOf(keyword)) {
      case Holder::kNothing:
        break;
      case Holder::kSingle:
        if (keyword == "items" && dialect_ == Dialect::kDraft07) return SchemaOrList(value, path);
        return Schema(value, path);
      case Holder::kList:
        return List(value, path);
      case Holder::kMap:
        return Map(value, path);
      case Holder::kDependencies:
        return Dependencies(value, path);
    }
    if (keyword == "dependentRequired" && dialect_ == Dialect::kDraft07) {
      return Dependencies(value, path);
    }
    const Rule* rule = RuleOf(keyword);
    if (rule == nullptr || (dialect_ == Dialect::kDraft07 && !rule->in_draft_07)) {
      return arrow::Status::OK();
    }
    return Plain(rule->shape, value, path);
  }

  arrow::Status Plain(Shape shape, const JsonValue& value, const JsonPath& path) {
    switch (shape) {
      case Shape::kString:
        return Expect(value.is_string(), path, "a string");
      case Shape::kBoolean:
        return Expect(value.is_boolean(), path, "true or false");
      case Shape::kNumber:
        return Expect(value.is_number(), path, "a number");
      case Shape::kPositiveNumber:
        return Expect(value.is_number() && !value.is_negative() && value.text() != "0", path,
                      "a number above 0");
      case Shape::kCount:
        return Expect(value.is_integral() && !value.is_negative(), path, "an integer, 0 or more");
      case Shape::kArray:
        return Expect(value.is_array(), path, "an array");
      case Shape::kNames:
        return Names(value, path);
      case Shape::kNamesByName:
        ARROW_RETURN_NOT_OK(Expect(value.is_object(), path, "an object of arrays of names"));
        for (const auto& [name, names] : value.members()) {
          ARROW_RETURN_NOT_OK(Names(names, Below(path, {name})));
        }
        return arrow::Status::OK();
      case Shape::kTypes: {
        const bool is_list = value.is_array() && !value.items().empty() &&
                             std::all_of(value.items().begin(), value.items().end(), IsType) &&
                             AreDistinct(value.items());
        return Expect(IsType(value) || is_list, path, "a type, or an array of different types");
      }
      case Shape::kAnchor:
        return Expect(IsAnchor(value), path, "a name of letters, digits, '-', '_' and '.'");
      case Shape::kIdentifier:
        return Expect(IsIdentifier(value, dialect_), path, "a URI without a fragment");
      case Shape::kVocabularies:
        ARROW_RETURN_NOT_OK(Expect(value.is_object(), path, "an object of booleans"));
        for (const auto& [uri, needed] : value.members()) {
          ARROW_RETURN_NOT_OK(Expect(needed.is_boolean(), Below(path, {uri}), "true or false"));
        }
        return arrow::Status::OK();
    }
    return arrow::Status::OK();
  }

  static arrow::Status Names(const JsonValue& value, const JsonPath& path) {
    ARROW_RETURN_NOT_OK(Expect(value.is_array(), path, "an array of names"));
    for (std::size_t index = 0; index < value.items().size(); ++index) {
      ARROW_RETURN_NOT_OK(Expect(value.items()[index].is_string(),
                                 Below(path, {std::to_string(index)}), "a name: a string"));
    }
    return Expect(AreDistinct(value.items()), path, "names that differ");
  }

  arrow::Status List(const JsonValue& value, const JsonPath& path) {
    ARROW_RETURN_NOT_OK(
        Expect(value.is_array() && !value.items().empty(), path, "an array of schemas, not empty"));
    for (std::size_t index = 0; index < value.items().size(); ++index) {
      ARROW_RETURN_NOT_OK(Schema(value.items()[index], Below(path, {std::to_string(index)})));
    }
    return arrow::Status::OK();
  }

  arrow::Status Map(const JsonValue& value, const JsonPath& path) {
    ARROW_RETURN_NOT_OK(Expect(value.is_object(), path, "an object of schemas"));
    for (const auto& [name, member] : value.members()) {
      ARROW_RETURN_NOT_OK(Schema(member, Below(path, {name})));
    }
    return arrow::Status::OK();
  }

  /// A choice in the meta-schema: what is wrong inside is told at the place of the choice.
  arrow::Status SchemaOrList(const JsonValue& value, const JsonPath& path) {
    const bool holds = value.is_array() ? List(value, path).ok() : Schema(value, path).ok();
    return Expect(holds, path, "a schema, or an array of schemas");
  }

  arrow::Status Dependencies(const JsonValue& value, const JsonPath& path) {
    ARROW_RETURN_NOT_OK(Expect(value.is_object(), path, "an object of schemas or names"));
    for (const auto& [name, needed] : value.members()) {
      const JsonPath place = Below(path, {name});
      const bool holds = needed.is_array() ? Names(needed, place).ok() : Schema(needed, place).ok();
      ARROW_RETURN_NOT_OK(Expect(holds, place, "a schema, or an array of names"));
    }
    return arrow::Status::OK();
  }

  Dialect dialect_;
};

}  // namespace

arrow::Status CheckMetaSchema(const JsonValue& schema, Dialect dialect, const JsonPath& path) {
  return Checker(dialect).Schema(schema, path);
}

}  // namespace tickmesh::internal
