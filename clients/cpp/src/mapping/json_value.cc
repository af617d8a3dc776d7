#include "mapping/json_value.h"

#include <algorithm>

namespace tickmesh::internal {

namespace {

/// Objects up to this size are searched member by member.
constexpr std::size_t kFewMembers = 12;

/// A string so that no two different ones are alike beside each other.
void AppendQuoted(const std::string& text, std::string* out) {
  out->push_back('"');
  for (const char sign : text) {
    if (sign == '"' || sign == '\\') out->push_back('\\');
    out->push_back(sign);
  }
  out->push_back('"');
}

}  // namespace

JsonValue JsonValue::Boolean(bool value) {
  JsonValue made;
  made.kind_ = Kind::kBoolean;
  made.flag_ = value;
  return made;
}

JsonValue JsonValue::Number(std::string canonical, bool integral) {
  JsonValue made;
  made.kind_ = Kind::kNumber;
  made.flag_ = integral;
  made.text_ = std::move(canonical);
  return made;
}

JsonValue JsonValue::String(std::string text) {
  JsonValue made;
  made.kind_ = Kind::kString;
  made.text_ = std::move(text);
  return made;
}

JsonValue JsonValue::Array(std::vector<JsonValue> items) {
  JsonValue made;
  made.kind_ = Kind::kArray;
  made.items_ = std::move(items);
  return made;
}

JsonValue JsonValue::Object(std::vector<std::pair<std::string, JsonValue>> members) {
  JsonValue made;
  made.kind_ = Kind::kObject;
  made.members_ = std::move(members);
  if (made.members_.size() > kFewMembers) {
    // The names live in the vector's own block, which stays where it is when the value is moved.
    auto places = std::make_unique<std::unordered_map<std::string_view, std::size_t>>();
    places->reserve(made.members_.size());
    for (std::size_t place = 0; place < made.members_.size(); ++place) {
      places->emplace(made.members_[place].first, place);
    }
    made.places_ = std::move(places);
  }
  return made;
}

const JsonValue* JsonValue::Find(std::string_view name) const {
  if (places_ != nullptr) {
    const auto found = places_->find(name);
    return found == places_->end() ? nullptr : &members_[found->second].second;
  }
  for (const auto& [key, value] : members_) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string JsonValue::Canonical() const {
  std::string text;
  AppendCanonical(&text);
  return text;
}

void JsonValue::AppendCanonical(std::string* out) const {
  switch (kind_) {
    case Kind::kNull:
      *out += "null";
      return;
    case Kind::kBoolean:
      *out += flag_ ? "true" : "false";
      return;
    case Kind::kNumber:
      *out += text_;
      return;
    case Kind::kString:
      AppendQuoted(text_, out);
      return;
    case Kind::kArray:
      out->push_back('[');
      for (const JsonValue& item : items_) {
        item.AppendCanonical(out);
        out->push_back(',');
      }
      out->push_back(']');
      return;
    case Kind::kObject: {
      std::vector<const std::pair<std::string, JsonValue>*> sorted;
      sorted.reserve(members_.size());
      for (const auto& member : members_) sorted.push_back(&member);
      std::sort(sorted.begin(), sorted.end(),
                [](const auto* left, const auto* right) { return left->first < right->first; });
      out->push_back('{');
      for (const auto* member : sorted) {
        AppendQuoted(member->first, out);
        out->push_back(':');
        member->second.AppendCanonical(out);
        out->push_back(',');
      }
      out->push_back('}');
      return;
    }
  }
}

}  // namespace tickmesh::internal
