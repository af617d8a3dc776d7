#include "mapping/location.h"

#include <algorithm>
#include <set>

#include "mapping/name_pattern.h"

namespace tickmesh::internal {

namespace {

/// Whether a schema only says what its target says.
bool IsMereReference(const Part& part) {
  static const std::set<std::string_view> kMere = {"$ref",     "title",    "description",
                                                   "examples", "$comment", "deprecated",
                                                   "readOnly", "writeOnly"};
  if (part.keywords.reference_only()) return true;
  const auto& members = part.source().members();
  return std::all_of(members.begin(), members.end(),
                     [](const auto& member) { return kMere.contains(member.first); });
}

/// The subschemas of the leading items; none where all items are alike (both drafts' spelling).
const std::vector<JsonValue>& PrefixItems(const Keywords& keywords) {
  const JsonValue* items = keywords.Find("items");
  if (items != nullptr && items->is_array()) return items->items();
  return keywords.Items("prefixItems");
}

/// The subschema of one item, of those beyond the prefix when there is no index; null for none.
const JsonValue* ItemFor(const Keywords& keywords, std::optional<std::size_t> index) {
  const auto& prefix = PrefixItems(keywords);
  if (index.has_value() && *index < prefix.size()) return &prefix[*index];
  const JsonValue* items = keywords.Find("items");
  return items != nullptr && items->is_array() ? keywords.Find("additionalItems") : items;
}

/// The subschemas that one schema object applies to the member `name`.
arrow::Result<std::vector<const JsonValue*>> MembersFor(const Keywords& keywords,
                                                        const std::string& name,
                                                        NamePatterns* patterns) {
  std::vector<const JsonValue*> found;
  if (const JsonValue* properties = keywords.Find("properties")) {
    if (const JsonValue* member = properties->Find(name)) found.push_back(member);
  }
  for (const auto& [pattern, schema] : keywords.Members("patternProperties")) {
    ARROW_ASSIGN_OR_RAISE(const bool matches, patterns->Matches(pattern, name));
    if (matches) found.push_back(&schema);
  }
  const JsonValue* rest = keywords.Find("additionalProperties");
  if (found.empty() && rest != nullptr) found.push_back(rest);
  return found;
}

}  // namespace

Location::Location(SchemaFacts* facts, std::vector<AppliedSchema> applied)
    : facts_(facts), applied_(std::move(applied)) {
  std::set<std::pair<const JsonValue*, bool>> seen;
  for (const auto& [schema, conditional] : applied_) Gather(*schema, conditional, &seen);
  for (const Part& part : parts_) {
    if (!IsMereReference(part)) key_.emplace_back(&part.source(), part.conditional);
  }
  std::sort(key_.begin(), key_.end());
  if (never_) key_.emplace_back(nullptr, true);
  Declare();
}

void Location::Gather(const JsonValue& schema, bool conditional,
                      std::set<std::pair<const JsonValue*, bool>>* seen) {
  if (!schema.is_object()) {
    never_ = never_ || (schema.is_false() && !conditional);
    return;
  }
  if (!seen->emplace(&schema, conditional).second) return;
  const SchemaDocument& document = facts_->document();
  const Keywords keywords(schema, document.dialect());
  parts_.push_back({keywords, conditional});
  facts_->CountWork();
  if (keywords.Has("$ref")) Gather(document.index().TargetOf(schema), conditional, seen);
  for (const JsonValue& member : keywords.Items("allOf")) Gather(member, conditional, seen);
  for (const char* choice : {"anyOf", "oneOf"}) {
    for (const JsonValue& member : keywords.Items(choice)) Gather(member, true, seen);
  }
  if (keywords.Has("if")) {
    for (const char* branch : {"then", "else"}) {
      if (const JsonValue* member = keywords.Find(branch)) Gather(*member, true, seen);
    }
  }
  const char* dependent =
      document.dialect() == Dialect::kDraft07 ? "dependencies" : "dependentSchemas";
  for (const auto& [name, member] : keywords.Members(dependent)) {
    if (!member.is_array()) Gather(member, true, seen);
  }
}

void Location::Declare() {
  std::unordered_set<std::string_view> known;
  const auto declare = [&](const std::string& name) {
    if (known.insert(name).second) declared_.push_back(name);
  };
  for (std::size_t place = 0; place < parts_.size(); ++place) {
    const Keywords& keywords = parts_[place].keywords;
    for (const auto& [name, schema] : keywords.Members("properties")) {
      declare(name);
      naming_[name].push_back(place);
    }
    if (keywords.Has("patternProperties") || keywords.Has("additionalProperties")) {
      open_.push_back(place);
    }
  }
  const bool is_draft_07 = facts_->document().dialect() == Dialect::kDraft07;
  const char* dependent = is_draft_07 ? "dependencies" : "dependentRequired";
  for (const Part& part : parts_) {
    for (const JsonValue& name : part.keywords.Items("required")) {
      declare(name.text());
      if (!part.conditional) required_.insert(name.text());
    }
    for (const auto& [name, needed] : part.keywords.Members(dependent)) {
      if (!needed.is_array()) continue;
      declare(name);
      for (const JsonValue& each : needed.items()) declare(each.text());
    }
  }
}

bool Location::is_struct() const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return !part.keywords.Members("properties").empty(); });
}

std::vector<const JsonValue*> Location::AppliedAlways() const {
  std::vector<const JsonValue*> always;
  for (const auto& [schema, conditional] : applied_) {
    if (!conditional) always.push_back(schema);
  }
  return always;
}

JsonTypes Location::Types() const {
  JsonTypes types = JsonTypes::All();
  const auto always = AppliedAlways();
  for (const JsonValue* schema : always) types = types & facts_->TypesOf(*schema);
  if (!always.empty() || applied_.empty()) return types;
  types = JsonTypes();
  for (const auto& [schema, conditional] : applied_) types = types | facts_->TypesOf(*schema);
  return types;
}

bool Location::AcceptsNull() const {
  if (never_) return false;
  const auto always = AppliedAlways();
  if (!always.empty()) {
    return std::all_of(always.begin(), always.end(),
                       [this](const JsonValue* schema) { return facts_->AcceptsNull(*schema); });
  }
  return applied_.empty() ||
         std::any_of(applied_.begin(), applied_.end(), [this](const AppliedSchema& applied) {
           return facts_->AcceptsNull(*applied.schema);
         });
}

std::optional<TextForm> Location::Form() const {
  const auto always = AppliedAlways();
  if (!always.empty()) {
    std::vector<std::optional<TextForm>> forms;
    for (const JsonValue* schema : always) forms.push_back(facts_->FormOf(*schema));
    return TogetherForm(forms);
  }
  std::vector<const JsonValue*> schemas;
  for (const auto& [schema, conditional] : applied_) schemas.push_back(schema);
  return facts_->SameForm(schemas);
}

arrow::Result<Location> Location::Child(const std::string& name) const {
  std::set<std::size_t> speaking(open_.begin(), open_.end());
  if (const auto naming = naming_.find(name); naming != naming_.end()) {
    speaking.insert(naming->second.begin(), naming->second.end());
  }
  std::vector<AppliedSchema> applied;
  for (const std::size_t place : speaking) {
    ARROW_ASSIGN_OR_RAISE(const auto schemas,
                          MembersFor(parts_[place].keywords, name, &facts_->patterns()));
    for (const JsonValue* schema : schemas) applied.push_back({schema, parts_[place].conditional});
  }
  return Location(facts_, std::move(applied));
}

Location Location::Item(std::optional<std::size_t> index) const {
  std::vector<AppliedSchema> applied;
  for (const Part& part : parts_) {
    if (const JsonValue* schema = ItemFor(part.keywords, index)) {
      applied.push_back({schema, part.conditional});
    }
  }
  return Location(facts_, std::move(applied));
}

std::vector<Location> Location::Items() const {
  std::size_t prefix = 0;
  for (const Part& part : parts_) prefix = std::max(prefix, PrefixItems(part.keywords).size());
  std::vector<Location> places;
  places.reserve(prefix + 1);
  for (std::size_t index = 0; index < prefix; ++index) places.push_back(Item(index));
  Location rest = Item(std::nullopt);
  if (places.empty() || !rest.never()) places.push_back(std::move(rest));
  return places;
}

std::vector<Location> Location::Values() const {
  std::vector<Location> values;
  const auto add = [&](const JsonValue& schema, const Part& part) {
    if (schema.is_object()) values.push_back(Location(facts_, {{&schema, part.conditional}}));
  };
  for (const Part& part : parts_) {
    for (const auto& [pattern, schema] : part.keywords.Members("patternProperties")) {
      add(schema, part);
    }
    if (const JsonValue* rest = part.keywords.Find("additionalProperties")) add(*rest, part);
  }
  return values;
}

JsonPath Location::OwnPath(const Part& part) const {
  const JsonPath* path = facts_->document().index().PathOf(part.source());
  return path == nullptr ? JsonPath() : *path;
}

JsonPath Location::PathTo(const std::string& name) const {
  const auto naming = naming_.find(name);
  if (naming == naming_.end()) return {};
  return Below(OwnPath(parts_[naming->second.front()]), {"properties", name});
}

}  // namespace tickmesh::internal
