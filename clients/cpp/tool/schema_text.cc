#include "schema_text.h"

#include <string_view>
#include <utility>

#include "arrow/type.h"
#include "instant.h"
#include "nlohmann/json.hpp"

namespace tickmesh::tool {

namespace {

using Json = nlohmann::ordered_json;

std::string Line(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// `null` where there is nothing to name.
Json Named(bool there, std::string_view name) { return there ? Json(name) : Json(); }

Json Facts(const RegisteredSchema& schema) {
  return {
      {"subject", schema.subject},
      {"version", schema.version},
      {"schema_id", schema.schema_id},
      {"fingerprint", schema.fingerprint},
      {"state", VersionStateName(schema.state)},
      {"action", RegistrationActionName(schema.action)},
      {"registered_at", InstantText(schema.registered_at_ns)},
      {"effective_from", InstantText(schema.effective_from_ns)},
      {"revision", schema.revision},
      {"registered_by", schema.actor.principal},
      {"labels", schema.labels},
      {"deprecation_note", schema.deprecation_note},
  };
}

Json ArrowFields(const RegisteredSchema& schema) {
  Json fields = Json::array();
  if (schema.arrow_schema == nullptr) return fields;
  for (const auto& field : schema.arrow_schema->fields()) {
    fields.push_back({{"name", field->name()},
                      {"type", field->type()->ToString()},
                      {"nullable", field->nullable()}});
  }
  return fields;
}

Json Changes(const CompatibilityReport& report) {
  Json changes = Json::array();
  for (const JudgedChange& change : report.changes) {
    changes.push_back({{"kind", change.kind},
                       {"path", change.path},
                       {"verdict", VerdictName(change.verdict)},
                       {"reason", change.reason},
                       {"message", change.message},
                       {"witness", Named(!change.witness.empty(), change.witness)}});
  }
  return changes;
}

}  // namespace

std::string SchemaText(const RegisteredSchema& schema, Output output) {
  Json facts = Facts(schema);
  if (output == Output::kJson) {
    facts["text"] = schema.text;
    facts["arrow"] = ArrowFields(schema);
    return Line(facts);
  }
  std::string text;
  for (const auto& [name, value] : facts.items()) {
    if (value.empty() || value == "") continue;
    text += name + ": " + (value.is_string() ? value.get<std::string>() : Line(value)) + "\n";
  }
  text += "columns:\n";
  for (const auto& field : ArrowFields(schema)) {
    text += "  " + field["name"].get<std::string>() + ": " + field["type"].get<std::string>() +
            (field["nullable"].get<bool>() ? "" : " not null") + "\n";
  }
  return text + schema.text;
}

std::string EventLine(const ChangeEvent& event, Output output) {
  const RegisteredSchema* schema = event.schema.get();
  const std::string_view action =
      schema == nullptr ? std::string_view() : RegistrationActionName(schema->action);
  if (output == Output::kJson) {
    Json body = {
        {"revision", event.revision},
        {"kind", ChangeKindName(event.kind)},
        {"subject", event.subject},
        {"version", schema == nullptr ? Json() : Json(schema->version)},
        {"action", Named(schema != nullptr, action)},
        {"changed_at", InstantText(event.changed_at_ns)},
        {"principal", event.actor.principal},
        {"report", Json()},
    };
    if (event.report) {
      body["report"] = {{"verdict", VerdictName(event.report->verdict)},
                        {"mode", event.report->mode},
                        {"policy", event.report->policy},
                        {"changes", Changes(*event.report)}};
    }
    return Line(body);
  }
  std::string what = event.subject.empty() ? "global settings" : event.subject;
  if (schema != nullptr) {
    what += " version " + std::to_string(schema->version) + " (" + std::string(action) + ")";
  }
  if (event.kind == ChangeKind::kRegistrationRejected && event.report) {
    what += ": " + std::string(VerdictName(event.report->verdict));
  }
  return std::to_string(event.revision) + "  " + InstantText(event.changed_at_ns) + "  " +
         std::string(ChangeKindName(event.kind)) + "  " + what + "  by " + event.actor.principal;
}

}  // namespace tickmesh::tool
