#include "mapping/json_types.h"

#include <array>
#include <utility>

namespace tickmesh::internal {

namespace {

constexpr std::array<std::pair<std::string_view, JsonTypes::Type>, 7> kNames = {{
    {"array", JsonTypes::kArray},
    {"boolean", JsonTypes::kBoolean},
    {"integer", JsonTypes::kInteger},
    {"null", JsonTypes::kNull},
    {"number", JsonTypes::kNumber},
    {"object", JsonTypes::kObject},
    {"string", JsonTypes::kString},
}};

JsonTypes Named(std::string_view name) {
  for (const auto& [known, type] : kNames) {
    if (known != name) continue;
    return type == JsonTypes::kNumber ? JsonTypes(type) | JsonTypes::kInteger : JsonTypes(type);
  }
  return {};
}

}  // namespace

JsonTypes JsonTypes::Of(const JsonValue& value) {
  switch (value.kind()) {
    case JsonValue::Kind::kNull:
      return kNull;
    case JsonValue::Kind::kBoolean:
      return kBoolean;
    case JsonValue::Kind::kNumber:
      return value.is_integral() ? kInteger : kNumber;
    case JsonValue::Kind::kString:
      return kString;
    case JsonValue::Kind::kArray:
      return kArray;
    case JsonValue::Kind::kObject:
      return kObject;
  }
  return {};
}

JsonTypes JsonTypes::Stated(const JsonValue& type) {
  if (type.is_string()) return Named(type.text());
  JsonTypes types;
  for (const JsonValue& name : type.items()) types = types | Named(name.text());
  return types;
}

std::string JsonTypes::ToString() const {
  std::string text;
  for (const auto& [name, type] : kNames) {
    if (!Has(type)) continue;
    if (!text.empty()) text += " or ";
    text += name;
  }
  return text;
}

}  // namespace tickmesh::internal
