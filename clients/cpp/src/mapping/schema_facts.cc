#include "mapping/schema_facts.h"

#include <algorithm>
#include <set>

namespace tickmesh::internal {

namespace {

/// Work out an answer about a schema object once.
template <typename Answer, typename WorkOut>
Answer Once(std::unordered_map<const JsonValue*, Answer>* known, const JsonValue& schema,
            const WorkOut& work_out) {
  if (const auto found = known->find(&schema); found != known->end()) return found->second;
  const Answer answer = work_out(schema);
  known->emplace(&schema, answer);
  return answer;
}

std::optional<TextForm> FormatOf(const JsonValue* format) {
  if (format == nullptr) return std::nullopt;
  for (const TextForm form : {TextForm::kDateTime, TextForm::kDate, TextForm::kTime}) {
    if (format->text() == TextFormName(form)) return form;
  }
  return std::nullopt;
}

std::vector<const JsonValue*> PointersTo(const std::vector<JsonValue>& values) {
  std::vector<const JsonValue*> pointers;
  pointers.reserve(values.size());
  for (const JsonValue& value : values) pointers.push_back(&value);
  return pointers;
}

}  // namespace

std::string_view TextFormName(TextForm form) {
  switch (form) {
    case TextForm::kDateTime:
      return "date-time";
    case TextForm::kDate:
      return "date";
    case TextForm::kTime:
      return "time";
    case TextForm::kListed:
      return "listed";
  }
  return "";
}

std::optional<TextForm> TogetherForm(const std::vector<std::optional<TextForm>>& forms) {
  std::set<TextForm> formats;
  bool is_listed = false;
  for (const auto& form : forms) {
    if (!form.has_value()) continue;
    if (*form == TextForm::kListed) {
      is_listed = true;
    } else {
      formats.insert(*form);
    }
  }
  if (formats.size() > 1) return std::nullopt;
  if (!formats.empty()) return *formats.begin();
  return is_listed ? std::optional(TextForm::kListed) : std::nullopt;
}

JsonTypes SchemaFacts::TypesOf(const JsonValue& schema) {
  if (!schema.is_object()) return schema.is_true() ? JsonTypes::All() : JsonTypes();
  return Once(&types_, schema, [this](const JsonValue& each) { return WorkOutTypes(each); });
}

JsonTypes SchemaFacts::WorkOutTypes(const JsonValue& schema) {
  const Keywords keywords(schema, document_.dialect());
  JsonTypes types = JsonTypes::All();
  if (const JsonValue* type = keywords.Find("type")) types = JsonTypes::Stated(*type);
  if (const JsonValue* constant = keywords.Find("const")) types = types & JsonTypes::Of(*constant);
  if (keywords.Has("enum")) {
    JsonTypes listed;
    for (const JsonValue& value : keywords.Items("enum")) listed = listed | JsonTypes::Of(value);
    types = types & listed;
  }
  if (keywords.Has("$ref")) types = types & TypesOf(document_.index().TargetOf(schema));
  for (const JsonValue& member : keywords.Items("allOf")) types = types & TypesOf(member);
  for (const char* choice : {"anyOf", "oneOf"}) {
    if (!keywords.Has(choice)) continue;
    JsonTypes any;
    for (const JsonValue& member : keywords.Items(choice)) any = any | TypesOf(member);
    types = types & any;
  }
  return types;
}

bool SchemaFacts::AcceptsNull(const JsonValue& schema) {
  if (!schema.is_object()) return schema.is_true();
  return Once(&nulls_, schema, [this](const JsonValue& each) { return WorkOutNull(each); });
}

bool SchemaFacts::WorkOutNull(const JsonValue& schema) {
  const Keywords keywords(schema, document_.dialect());
  const auto accepts = [this](const JsonValue& member) { return AcceptsNull(member); };
  const JsonValue* type = keywords.Find("type");
  if (type != nullptr && !JsonTypes::Stated(*type).Has(JsonTypes::kNull)) return false;
  const JsonValue* constant = keywords.Find("const");
  if (constant != nullptr && !constant->is_null()) return false;
  const auto& listed = keywords.Items("enum");
  if (keywords.Has("enum") && std::none_of(listed.begin(), listed.end(),
                                           [](const auto& value) { return value.is_null(); })) {
    return false;
  }
  if (keywords.Has("$ref") && !accepts(document_.index().TargetOf(schema))) return false;
  const auto& all = keywords.Items("allOf");
  if (!std::all_of(all.begin(), all.end(), accepts)) return false;
  const auto& any = keywords.Items("anyOf");
  if (keywords.Has("anyOf") && std::none_of(any.begin(), any.end(), accepts)) return false;
  const auto& one = keywords.Items("oneOf");
  if (keywords.Has("oneOf") && std::count_if(one.begin(), one.end(), accepts) != 1) return false;
  if (const JsonValue* refused = keywords.Find("not"); refused != nullptr && accepts(*refused)) {
    return false;
  }
  if (const JsonValue* condition = keywords.Find("if")) {
    const JsonValue* branch = keywords.Find(accepts(*condition) ? "then" : "else");
    if (branch != nullptr && !accepts(*branch)) return false;
  }
  return true;
}

std::optional<TextForm> SchemaFacts::FormOf(const JsonValue& schema) {
  if (!schema.is_object()) return std::nullopt;
  return Once(&forms_, schema, [this](const JsonValue& each) { return WorkOutForm(each); });
}

std::optional<TextForm> SchemaFacts::WorkOutForm(const JsonValue& schema) {
  const Keywords keywords(schema, document_.dialect());
  std::vector<std::optional<TextForm>> forms = {FormatOf(keywords.Find("format"))};
  const JsonValue* constant = keywords.Find("const");
  const auto& listed = keywords.Items("enum");
  if ((constant != nullptr && constant->is_string()) ||
      std::any_of(listed.begin(), listed.end(),
                  [](const auto& value) { return value.is_string(); })) {
    forms.emplace_back(TextForm::kListed);
  }
  if (keywords.Has("$ref")) forms.push_back(FormOf(document_.index().TargetOf(schema)));
  for (const JsonValue& member : keywords.Items("allOf")) forms.push_back(FormOf(member));
  for (const char* choice : {"anyOf", "oneOf"}) {
    if (keywords.Has(choice)) forms.push_back(SameForm(PointersTo(keywords.Items(choice))));
  }
  return TogetherForm(forms);
}

std::optional<TextForm> SchemaFacts::SameForm(const std::vector<const JsonValue*>& schemas) {
  std::set<std::optional<TextForm>> forms;
  for (const JsonValue* schema : schemas) {
    if (TypesOf(*schema).Has(JsonTypes::kString)) forms.insert(FormOf(*schema));
  }
  return forms.size() == 1 ? *forms.begin() : std::nullopt;
}

}  // namespace tickmesh::internal
