#include "mapping/keywords.h"

#include <string>
#include <unordered_map>

namespace tickmesh::internal {

std::string_view DialectUri(Dialect dialect) {
  return dialect == Dialect::kDraft07 ? "http://json-schema.org/draft-07/schema"
                                      : "https://json-schema.org/draft/2020-12/schema";
}

Holder HolderOf(std::string_view keyword) {
  static const std::unordered_map<std::string_view, Holder> kHolders = {
      {"additionalItems", Holder::kSingle},
      {"additionalProperties", Holder::kSingle},
      {"contains", Holder::kSingle},
      {"contentSchema", Holder::kSingle},
      {"else", Holder::kSingle},
      {"if", Holder::kSingle},
      {"items", Holder::kSingle},
      {"not", Holder::kSingle},
      {"propertyNames", Holder::kSingle},
      {"then", Holder::kSingle},
      {"unevaluatedItems", Holder::kSingle},
      {"unevaluatedProperties", Holder::kSingle},
      {"allOf", Holder::kList},
      {"anyOf", Holder::kList},
      {"oneOf", Holder::kList},
      {"prefixItems", Holder::kList},
      {"$defs", Holder::kMap},
      {"definitions", Holder::kMap},
      {"dependentSchemas", Holder::kMap},
      {"patternProperties", Holder::kMap},
      {"properties", Holder::kMap},
      {"dependencies", Holder::kDependencies},
  };
  const auto found = kHolders.find(keyword);
  return found == kHolders.end() ? Holder::kNothing : found->second;
}

const std::vector<JsonValue>& Keywords::Items(std::string_view keyword) const {
  static const std::vector<JsonValue> kNone;
  const JsonValue* value = Find(keyword);
  return value == nullptr ? kNone : value->items();
}

const std::vector<std::pair<std::string, JsonValue>>& Keywords::Members(
    std::string_view keyword) const {
  static const std::vector<std::pair<std::string, JsonValue>> kNone;
  const JsonValue* value = Find(keyword);
  return value == nullptr ? kNone : value->members();
}

arrow::Status VisitChildren(const JsonValue& schema, Dialect dialect, const ChildVisitor& visit) {
  const auto visit_items = [&](std::string_view keyword, const JsonValue& value) {
    for (std::size_t index = 0; index < value.items().size(); ++index) {
      const std::string step = std::to_string(index);
      ARROW_RETURN_NOT_OK(visit(keyword, &step, value.items()[index]));
    }
    return arrow::Status::OK();
  };
  for (const auto& [keyword, value] : schema.members()) {
    switch (HolderOf(keyword)) {
      case Holder::kNothing:
        break;
      case Holder::kSingle:
        if (value.is_array()) {
          ARROW_RETURN_NOT_OK(visit_items(keyword, value));
        } else {
          ARROW_RETURN_NOT_OK(visit(keyword, nullptr, value));
        }
        break;
      case Holder::kList:
        ARROW_RETURN_NOT_OK(visit_items(keyword, value));
        break;
      case Holder::kDependencies:
        if (dialect != Dialect::kDraft07) break;
        [[fallthrough]];
      case Holder::kMap:
        for (const auto& [name, member] : value.members()) {
          if (!member.is_array()) ARROW_RETURN_NOT_OK(visit(keyword, &name, member));
        }
        break;
    }
  }
  return arrow::Status::OK();
}

arrow::Status VisitInPlace(const JsonValue& schema, Dialect dialect,
                           const std::function<arrow::Status(const JsonValue&)>& visit) {
  const Keywords keywords(schema, dialect);
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
    for (const JsonValue& member : keywords.Items(keyword)) ARROW_RETURN_NOT_OK(visit(member));
  }
  for (const char* keyword : {"not", "if", "then", "else"}) {
    if (const JsonValue* member = keywords.Find(keyword)) ARROW_RETURN_NOT_OK(visit(*member));
  }
  const char* dependent = dialect == Dialect::kDraft07 ? "dependencies" : "dependentSchemas";
  for (const auto& [name, member] : keywords.Members(dependent)) {
    if (!member.is_array()) ARROW_RETURN_NOT_OK(visit(member));
  }
  return arrow::Status::OK();
}

}  // namespace tickmesh::internal
